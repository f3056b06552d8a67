"""What the suites of tests have in common: Postfix, the servers around it, and mail.

peer            a mail server that can be told to misbehave at any step
pki, rpk        its certificates and raw public keys
dnssec          signed zones, nsd and unbound; resolver answers as it is told
sts, tlsrpt     MTA-STS policies and TLS reports, with the real programs
postfix         the Postfix in the sandbox, and its log; instance is one more
releases        what the releases of Postfix differ in
messages        Postfix's and OpenSSL's words, where tests must know them
harness         cases: servers, configuration, mail, and what must happen
examples        the servers that the documentation's examples talk about
mail_system     a mail system in use, for upgrades
clone           running a program of the tests in a clone of the machine

Most of it works only in the sandbox. pytest finds this package by pytest.ini; other
programs are started with PYTHONPATH, by tests/run or by clone.py.
"""
