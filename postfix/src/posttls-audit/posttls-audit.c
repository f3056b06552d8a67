/*++
/* NAME
/*	posttls-audit 1
/* SUMMARY
/*	Postfix TLS log analyzer
/* SYNOPSIS
/* .fi
/*	\fBposttls-audit\fR [\fB-ehHjpPvVx\fR] [\fB-m \fInumber\fR]
/*		[\fB-M \fItime\fR] [\fB-n \fInumber\fR] [\fB-r \fIpattern\fR] [\fB-s \fItime\fR]
/*		[\fB-S \fIsummary\fR] [\fB-u \fItime\fR]
/*		[\fB-w \fInumber\fR] [\fIfile ...\fR]
/* DESCRIPTION
/*	The \fBposttls-audit\fR(1) command reads mail logs, and reports
/*	how mail was protected on its way out: at what TLS security
/*	levels, where a policy was not met, and which policies can be
/*	enforced.
/*
/*	Input is read from the named files, or from the standard input
/*	when no file or the name "\fB-\fR" is specified. A file may be
/*	compressed with \fBgzip\fR(1) and, when that support was built
/*	in, \fBzstd\fR(1) or \fBxz\fR(1). See "LOG FORMATS" below; lines
/*	and files of different formats may be mixed.
/*
/*	The command does not need access to Postfix configuration or
/*	queues, and may be used on any system that has the logs.
/*
/*	Options:
/* .IP \fB-e\fR
/*	Report problems only: states with a violation ("!"), a downgrade
/*	from an authenticated level (":") or no decision ("?"); fallbacks;
/*	destinations that are \fBbroken\fR or \fBmixed\fR;
/*	regressions; recipients not delivered because of TLS;
/*	certificates that changed or expire soon; weak spots; problems
/*	with the input.
/* .IP "\fB-h\fR, \fB--help\fR"
/*	Show a summary of the command-line options, and exit.
/* .IP \fB-H\fR
/*	Produce one HTML page instead of text, with verdicts and
/*	proposals, plots over time, and all tables. The page needs no
/*	script and no other file, and is readable in print.
/* .IP \fB-j\fR
/*	Produce one JSON object instead of text. See "JSON OUTPUT" below.
/* .IP "\fB-m \fInumber\fR (default: 20)"
/*	The number of deliveries that are needed before a policy can be
/*	called ready to \fBenforce\fR.
/* .IP "\fB-M \fItime\fR (default: 7d)"
/*	The time over which these deliveries must be spread: from the
/*	first to the last one that was verified. Specify a number with
/*	one of the time units of option \fB-s\fR, or 0.
/* .IP "\fB-n \fInumber\fR (default: 20, with \fB-H\fR 100, with \fB-j\fR 0)"
/*	The maximal number of rows in a report that grows with the number
/*	of destinations or servers. Specify 0 for all rows.
/* .IP \fB-p\fR
/*	Produce metrics in Prometheus text exposition format, for
/*	example for the textfile collector of the Prometheus
/*	node_exporter, instead of text. See "METRICS" below.
/* .IP \fB-P\fR
/*	Produce TLS policy table entries instead of text. See "POLICY
/*	TABLE" below.
/* .IP "\fB-r \fIpattern\fR"
/*	Consider only lines whose relay (\fIhost\fR, or
/*	\fIhost[address]:port\fR), nexthop or recipient domain matches
/*	the \fBsh\fR(1) style wildcard pattern, for example
/*	"\fB*.example.com\fR", or is the same. Matching is
/*	case-insensitive. Specify the
/*	option more than once to match any one of several patterns.
/*	Note that a TLS connection line has no nexthop.
/* .IP "\fB-s \fItime\fR"
/*	Consider only lines logged since this time. Specify a date with
/*	or without the time of day ("\fB2026-11-21\fR",
/*	"\fB2026-11-21 18:31\fR", "\fB2026-11-21T18:31:00+01:00\fR";
/*	local time unless there is a time zone), \fBtoday\fR,
/*	\fByesterday\fR, or how long ago, as a number with one of
/*	the Postfix time units s (seconds), m (minutes), h (hours), d
/*	(days), w (weeks).
/*	Use this option to look at the time after a repair.
/* .IP "\fB-S \fIsummary\fR"
/*	Go on from a summary file: read only what the named logs have
/*	that was not read before, add summaries that are named instead of
/*	logs, report everything, and replace the file. It is made
/*	when it does not exist. When no file is named, the summary is
/*	only reported. See "THE SUMMARY FILE" below. The options \fB-r\fR,
/*	\fB-s\fR and \fB-u\fR cannot be used with it.
/* .IP "\fB-u \fItime\fR"
/*	Consider only lines logged before (until) this time.
/* .IP \fB-v\fR
/*	Enable verbose logging: show the first lines that are not
/*	understood, and how much was read from every file. Multiple
/*	\fB-v\fR options show more lines.
/* .IP \fB-V\fR
/*	Show the version, and exit.
/* .IP "\fB-w \fInumber\fR (default: the number of processors)"
/*	Read logs with up to this number of processes, when several are
/*	named.
/* .IP \fB-x\fR
/*	Terminate with exit status 1 when a TLS policy was not met: when
/*	there was a fallback, when a fallback was refused, or when
/*	recipients were not delivered because of TLS. Also when there
/*	is nothing to report about: no line was understood, or none
/*	says how a delivery was made.
/* .PP
/*	When the standard error is a terminal, progress is shown there.
/* LOG FORMATS
/* .ad
/* .fi
/*	A log line is recognized in the following forms. Lines with a
/*	traditional time stamp, without year, are in the local time
/*	zone; see also the BUGS section.
/* .IP "syslog, the Postfix maillog_file"
/*	"\fBNov 21 18:31:00 mx1 postfix/smtp[123]:\fR \fItext\fR", or the
/*	same with an RFC 3339 time stamp, or with fractions of a second;
/*	with a priority ("\fB<22>\fR") before the time stamp; RFC 5424;
/*	with "\fB[ID 197553 mail.info]\fR" before the text (Solaris);
/*	with "\fBmail.info\fR" after the host (busybox), or before it
/*	in "\fB< >\fR" (FreeBSD).
/* .IP "the systemd journal"
/*	\fBjournalctl\fR(1) with output \fBshort\fR, \fBshort-precise\fR,
/*	\fBshort-iso\fR, \fBshort-iso-precise\fR, \fBshort-full\fR (when the
/*	time zone is UTC or the local one), \fBshort-unix\fR, \fBjson\fR,
/*	\fBjson-sse\fR and \fBjson-seq\fR.
/* .IP containers
/*	All of the above in the files of Docker's json-file logging
/*	driver, and from "\fBdocker logs\fR" and "\fBdocker compose
/*	logs\fR"; in the files of Kubernetes' container runtime interface
/*	and of podman's k8s-file driver, and from "\fBkubectl logs\fR";
/*	with or without time stamps. The time stamp of a container's
/*	log takes precedence over that of the line in it. A line that the
/*	container runtime has cut (16 kbyte) is not put together again.
/* WHAT IS COUNTED
/* .ad
/* .fi
/*	The following log lines are used. All other lines are counted
/*	and ignored, and so is a line whose text is damaged.
/* .IP "audit line"
/*	Text that begins with "\fBtlsaudit:\fR", followed by
/*	\fIname\fR=\fIvalue\fR pairs in any order, separated by ", ", or
/*	by a JSON object.
/*	It is logged with smtp_tls_audit_template for every message
/*	transfer. All attributes of the built-in templates
/*	\fBstandard\fR, \fBfull\fR and \fBjson\fR are known; other
/*	attributes are ignored. For the best reports use \fBjson\fR or
/*	\fBfull\fR, or at least
/*	add \fBnexthop\fR and \fBreason\fR to a template.
/* .IP "fallback warning, fallback refused warning"
/*	"\fBtls fallback:\fR" or "\fBtls fallback refused:\fR". It is
/*	logged for every connection and obstacle.
/* .IP "delivery status line"
/*	It is logged for every recipient. Its \fBtls=\fR field (Postfix
/*	3.11 and later) has the TLS security level and the REQUIRETLS
/*	status, and its reply text may name a TLS failure.
/* .IP "TLS connection line"
/*	"\fITrusted\fR TLS connection established to ...". It is logged
/*	for every new connection with smtp_tls_loglevel 1 or higher,
/*	also by a Postfix that has no audit lines.
/* .PP
/*	\fBDeliveries\fR are audit lines, plus those delivery status
/*	lines with a \fBtls=\fR field for which the same process did not
/*	just log an audit line with the same queue ID and relay. Thus, a
/*	message that was sent to one server counts once with an audit
/*	line, and without an audit line once for each recipient.
/*	\fBConnections\fR are TLS connection lines, and \fBwarnings\fR
/*	are fallback warnings. These are different things: a cached
/*	connection is warned about once, and may serve many deliveries.
/*	They are shown in separate columns and are never added up.
/*
/*	When an audit line has no \fBreason\fR or \fBnexthop\fR
/*	attribute, it is taken from the warning for the same message and
/*	relay.
/* READINESS
/* .ad
/* .fi
/*	For every destination whose policy is \fBfingerprint\fR,
/*	\fBdane\fR, \fBdane-only\fR, \fBverify\fR or \fBsecure\fR the
/*	report shows the deliveries under that policy, how many of them
/*	were verified, and the last failure and its reason. Only
/*	the present policy counts, which is the one that a host logged
/*	last. Hosts that have the same policy for a destination are added
/*	up, hosts that have different ones have different rows.
/*	\fBhalf-dane\fR counts as \fBdane\fR. A delivery attempt
/*	that TLS policy stopped (\fBtls=!secure\fR) counts as a delivery
/*	that was not verified; an attempt that did not get as far as TLS
/*	(\fBtls=secure?\fR) does not count.
/*
/*	A recipient who was not delivered because of TLS counts as a
/*	delivery that was not verified, also when the level is not
/*	logged (Postfix 3.10 and earlier). The policy is that of the
/*	warning for the same message, or else the present one. When no
/*	authenticated policy is known, but the failure is one that only
/*	authentication makes, the policy is shown as "-".
/*
/*	The destination of such a recipient is not logged without a
/*	warning, so this counts for the domain of the recipient. It also
/*	counts for a nexthop that is a route to other domains (relayhost,
/*	transport_maps), when the server has mail for no other nexthop,
/*	and no audit line has that domain as its nexthop.
/*
/*	The reason is a keyword from a fallback warning, or
/*	\fBnot-verified\fR when Postfix reported no more than that.
/*
/*	A destination is the \fBnexthop\fR attribute, which is what
/*	Postfix looked up in the policy table. Without that attribute it
/*	is the nexthop of the warning for the same message, or the
/*	\fBrecipient\fR domain when all recipients of the message at
/*	that server have the same one, or else the hostname of the
/*	\fBrelay\fR. The column "from" has this origin. The last two are
/*	guesses.
/*
/*	The verdict is one of the following.
/* .IP \fBenforce\fR
/*	All deliveries were verified, there are at least as many as
/*	option \fB-m\fR demands, over the time that option \fB-M\fR
/*	demands and the last of them no more than 30 days before the end
/*	of the log, and there was no fallback warning. A fallback level is
/*	not needed.
/* .IP \fBmixed\fR
/*	Some deliveries were verified, or all were, but there was a
/*	fallback warning. The column "why" says which.
/* .IP \fBbroken\fR
/*	No delivery was verified.
/* .IP "\fBtoo few\fR"
/*	All deliveries were verified, but there are not enough of them,
/*	or not over enough time, or they are too long ago; or there were
/*	only fallback warnings, and no record of deliveries.
/* .PP
/*	A failure that was more than 30 days before the end of the log
/*	does not count, nor does what came before it.
/*
/*	When a destination would have been ready to enforce, and then
/*	there was a failure, this is reported as a \fBregression\fR.
/* ATTAINABLE
/* .ad
/* .fi
/*	Destinations without an authenticated policy have a report of
/*	their own when audit lines have the \fBattainable\fR attribute
/*	(template \fBjson\fR): how many deliveries could have been made
/*	at \fBsecure\fR, or at least at \fBverify\fR. Deliveries
/*	for which this is not known do not count.
/* .IP "\fBcould enforce\fR"
/*	An authenticated level was attainable for all deliveries, with
/*	the same limits as for \fBenforce\fR. The column "why" says
/*	which level.
/* .IP \fBmixed\fR
/*	For some of them.
/* .IP \fBcannot\fR
/*	For none of them.
/* .IP "\fBtoo few\fR"
/*	There are not enough deliveries, or not over enough time.
/* POLICY TABLE
/* .ad
/* .fi
/*	Option \fB-P\fR produces entries for smtp_tls_policy_maps, with
/*	comments that show the evidence. A destination that is ready
/*	gets "\fBfallback=none\fR", any other gets the weakest level
/*	that was needed. A destination without an authenticated policy
/*	that could be enforced gets "\fBsecure\fR" with its
/*	present level as the fallback level, so that nothing becomes
/*	weaker. An entry is a comment when its name is a guess, when
/*	hosts have different policies, or when it needs \fBmatch\fR;
/*	where nothing follows from the log, there is no entry. The log
/*	does not have attributes such as \fBmatch\fR or \fBprotocols\fR,
/*	so do not replace your table; update it.
/* THE SUMMARY FILE
/* .ad
/* .fi
/*	A summary has what was learned from logs. It may be named
/*	wherever a log may be named, and summaries add up: it makes no
/*	difference if logs of several hosts, or parts of a log, are read
/*	at once or are summarized one by one, in any order. Two summaries
/*	that have the same log are not added; one that has
/*	nothing new is skipped.
/*
/*	A log is known by its content: its first bytes, and the bytes
/*	before the place where reading ended. It may be renamed and
/*	compressed, or copied and truncated, without being read twice.
/*	A last line that is not complete is read again. A log that
/*	begins with all of a shorter one is that log, grown longer; one
/*	that is no more than the first lines of a longer one is an
/*	earlier copy of it. So two different logs are taken for one when
/*	one begins with all lines of the other: that is, with the same
/*	times, process IDs and queue IDs. Such a thing is possible with
/*	pieces of very few lines, for example two containers of the same
/*	name that logged no more than the same start-up message in the same
/*	second; give such pieces without \fB-S\fR, or longer ones.
/*
/*	The file is replaced as a whole after all logs were read. When
/*	that is not possible, or when the command is interrupted, the old
/*	file stays, and the next run reads what this one has read. Two
/*	runs at the same time wait for each other.
/*
/*	Lines about the same message are joined across logs that are no
/*	more than 40 days older than the latest one. A line that was cut
/*	is joined with the first line of the log that has the next name
/*	in the order of names ("\fBlog.9\fR" comes before "\fBlog.10\fR"),
/*	or the name before it, as rotated logs have; when that makes no
/*	sense, with the next log in the order of time that has a host in
/*	common with it.
/*
/*	The format is text. The first line has a version,
/*	"\fBposttls-audit summary 1 0\fR"; the second number becomes larger
/*	when records are added that an older program need not know,
/*	and which it keeps. Every other line is a record: its name, and
/*	fields that are separated by tab characters. A time is in seconds
/*	since 1970; where there are a first and a last one, the second
/*	field has the difference. A number that is zero is left out.
/* .nf
/*	log	name, modification time, offset, length and hash of the first
/*		bytes, the same up to each newline in them as length:hash,
/*		length and hash of the bytes before the offset,
/*		first line when not understood, last line when incomplete
/*	host	name, lines with data, first and last time
/*	group	lines of one process that may go on in another log: flags,
/*		first and last line number, queue ID, process; relay and
/*		nexthop of an audit line, other recipient domains
/*	event	one of these lines
/*	period	first and last time
/*	lines	kind, number
/*	count	table, first and last time, deliveries, events, key
/*	day	days since 1970, deliveries, events
/*	dest	kind, has recipients in other domains, name
/*	state	host, policy, weakest fallback level, deliveries, verified,
/*		secure, warnings, first and last time, the same of verified
/*		deliveries, the same of failures, time of the last known
/*		reason, that reason, history: weeks since 1970, and for each
/*		week verified[:failed][*repetitions] or +gap
/*	relay	name, last time, connections by authentication result,
/*		nexthop ("*" when there are several)
/*	digest	kind, first and last time, digest
/*	cert	last time, end of validity, kind, destination, relay (no
/*		names: of the last relay, for its nexthop)
/*	total	number, metric (the last one that was reported)
/*	end	number of records, hash
/* .fi
/* JSON OUTPUT
/* .ad
/* .fi
/*	The output is one object. Each member is an array of objects,
/*	one per row; the member \fBomitted\fR instead has, for every
/*	report, the number of rows that option \fB-n\fR left out. A time
/*	is a string in RFC 3339 format (UTC), or null; a percentage
/*	is a number; a text that was not logged is null or "-".
/*	Members are never renamed. New ones may be added.
/* .IP \fBnotes\fR
/*	Problems with the input: file, problem.
/* .IP \fBperiod\fR
/*	edge ("first" or "last"), time.
/* .IP \fBlines\fR
/*	lines, kind, description. The kinds are audit, fallback,
/*	fallback_refused, delivery_status, tls_connection, client_other,
/*	other_program, not_understood; status_repeats (delivery status
/*	lines that were not counted as deliveries, because there was an
/*	audit line), not_selected, overlong, null_bytes, attainable
/*	(audit lines that say what was attainable).
/* .IP \fBlevels\fR
/*	SMTP TLS connection stats: deliveries, state. The state is a
/*	\fIlevel\fR, \fIpolicy\fR:\fIlevel\fR after a downgrade or
/*	fallback, !\fIlevel\fR when the policy was violated and mail was
/*	not sent, or \fIlevel\fR? when no connection could be made.
/* .IP \fBpolicy_diagnostics\fR
/*	SMTP TLS policy diagnostics: recipients, state. These are
/*	all features after the first one in a \fBtls=\fR field.
/* .IP \fBverdicts\fR
/*	destinations, verdict.
/* .IP \fBreadiness\fR
/*	verdict, deliveries, verified, warnings, policy, destination,
/*	source ("nexthop", "recipient" or "relay"), why, first_verified,
/*	last_verified, last_failure, reason, fallback (weakest level
/*	fallen back to), first, hosts and failing_hosts (separated by
/*	space).
/* .IP \fBregressions\fR
/*	destination, policy, reason, last_verified, last_failure,
/*	failing_hosts.
/* .IP \fBattainable_verdicts\fR
/*	destinations, verdict.
/* .IP \fBattainable\fR
/*	verdict, deliveries, attainable, secure (part of attainable),
/*	policy, destination, source, why, first_attainable,
/*	last_attainable, last_failure, hosts.
/* .IP \fBcertificates\fR
/*	Server certificates that expire within 14 days after the end of
/*	the log and were seen within 14 days before it: expires,
/*	destination, relay, last. This needs the \fBcert_expires\fR
/*	attribute.
/* .IP \fBfallback_reasons\fR
/*	deliveries, warnings, policy, level, reason.
/* .IP \fBfallbacks\fR
/*	deliveries, warnings, nexthop, relay, policy, level, reason,
/*	first, last. After several obstacles on one connection the level
/*	and reason of a delivery are the last level and the first reason,
/*	while each obstacle has its own warning.
/* .IP \fBfallbacks_refused\fR
/*	warnings, rule, reason, policy, fallback, first, last.
/* .IP \fBfailure_reasons\fR
/*	Delivery status lines whose text names a TLS failure:
/*	recipients, reason, first, last.
/* .IP \fBfailures\fR
/*	The same by destination: recipients, reason, destination, relay,
/*	first, last.
/* .IP \fBhistory\fR
/*	Deliveries for each of the last 400 days, in UTC: day,
/*	deliveries, state. The same states as in \fBlevels\fR.
/* .IP \fBfallback_history\fR
/*	Fallbacks by day: day, deliveries, warnings, policy, level, reason.
/* .IP "\fBauth\fR, \fBprotocols\fR, \fBciphers\fR, \fBkey_exchanges\fR"
/*	deliveries, deliveries_percent, connections,
/*	connections_percent, and one of auth, protocol, cipher,
/*	key_exchange.
/* .IP \fBproperties\fR
/*	Same as above, and property ("forward secrecy" or
/*	"post-quantum"), answer ("yes", "no", "unknown").
/* .IP \fBdigest_changes\fR
/*	relay, kind ("certificate" or "key"), changed (the new one was
/*	first seen), old, new, old_last_seen. This needs the
/*	\fBcert_digest\fR or \fBspki_digest\fR attribute. No more than
/*	the last eight different ones are shown for a server.
/* .IP \fBweak_spots\fR
/*	deliveries, connections, relay, weakness ("old protocol",
/*	"no forward secrecy", "anonymous"), first, last.
/* .IP \fBrelays\fR
/*	TLS connections by server: verified, trusted, untrusted,
/*	anonymous, relay, last.
/* METRICS
/* .ad
/* .fi
/*	Without option \fB-S\fR all metrics are gauges: they describe the
/*	logs that were read, and become smaller when a log is rotated.
/*
/*	With option \fB-S\fR what is counted becomes a counter, with
/*	"\fB_total\fR" at the end of its name, and never falls: not when
/*	a log is rotated, and not when a line that was taken for a
/*	delivery turns out to be about a delivery that was counted before.
/*	The period and the numbers of destinations stay gauges. There is
/*	no output when the summary file could not be replaced, and all
/*	keys are shown instead of the most frequent ones. These counters
/*	belong to the summary file, and do not go into another one that
/*	it is added to.
/*
/*	Labels have words
/*	from Postfix and OpenSSL only, no names of destinations or
/*	servers. In the following, "*" stands for a name that ends in
/*	"\fB_total\fR" with option \fB-S\fR.
/* .IP "\fBposttls_audit_period_timestamp_seconds\fR{edge}"
/*	Time of the first and last line used.
/* .IP "\fBposttls_audit_lines\fR*{kind}"
/*	Lines read.
/* .IP "\fBposttls_audit_deliveries\fR*{state}"
/*	Deliveries.
/* .IP "\fBposttls_audit_policy_diagnostics\fR*{state}"
/*	Recipients by REQUIRETLS status.
/* .IP "\fBposttls_audit_destinations\fR{verdict}"
/*	Destinations with an authenticated policy.
/* .IP "\fBposttls_audit_attainable_destinations\fR{verdict}"
/*	Destinations without an authenticated policy.
/* .IP "\fBposttls_audit_fallback_deliveries\fR*{policy,level,reason}"
/* .IP "\fBposttls_audit_fallback_warnings\fR*{policy,level,reason}"
/*	Fallbacks.
/* .IP "\fBposttls_audit_fallback_refused_warnings\fR*{rule,reason,policy,fallback}"
/*	Fallbacks refused.
/* .IP "\fBposttls_audit_failed_recipients\fR*{reason}"
/*	Recipients not delivered because of TLS.
/* .IP "\fBposttls_audit_auth_deliveries\fR*{auth}, \fBposttls_audit_auth_connections\fR*{auth}"
/* .IP "\fBposttls_audit_protocol_deliveries\fR*{protocol}, \fBposttls_audit_protocol_connections\fR*{protocol}"
/* .IP "\fBposttls_audit_cipher_deliveries\fR*{cipher}, \fBposttls_audit_cipher_connections\fR*{cipher}"
/* .IP "\fBposttls_audit_key_exchange_deliveries\fR*{key_exchange}, \fBposttls_audit_key_exchange_connections\fR*{key_exchange}"
/* .IP "\fBposttls_audit_property_deliveries\fR*{property,answer}, \fBposttls_audit_property_connections\fR*{property,answer}"
/*	Same as the JSON members.
/* DIAGNOSTICS
/*	Problems are logged to the standard error stream. Problems with
/*	the content of a log, such as a \fBgzip\fR(1) file that ends too
/*	early, or a clock that was set back, are also part of the report;
/*	what could be read is used.
/*
/*	The exit status is 0 in case of success, 1 when option \fB-x\fR
/*	is specified and a TLS policy was not met or nothing is known
/*	about deliveries, and 2 when an option is
/*	bad or a file could not be read.
/* BUGS
/*	A traditional time stamp has no year. It is taken to be the latest
/*	such date that is no more than one day after the file's
/*	modification time, or after the present time with the standard
/*	input. Thus, a log must not cover more than a year, and
/*	the file must keep the time when it was written.
/*
/*	Memory grows with the number of destinations and servers, not
/*	with the size of the log: expect less than 100 Mbyte for 50000
/*	destinations.
/* ENVIRONMENT
/* .ad
/* .fi
/* .IP \fBCOLUMNS\fR
/*	How wide a text table may be. The default is the width of the
/*	terminal, and 80 when the output is not a terminal. Long names
/*	are cut and end in "...", and a row that is still too long goes
/*	on in the next line; numbers are never cut.
/* EXAMPLES
/* .ad
/* .fi
/*	Report on a logfile, and on the systemd journal:
/* .sp
/* .nf
/*	posttls-audit /var/log/mail.log
/*	journalctl -q -o short-iso -t postfix/smtp | posttls-audit
/* .fi
/* .sp
/*	Look at one destination since a repair; show problems only, all
/*	of them:
/* .sp
/* .nf
/*	posttls-audit -r example.com -s 2d /var/log/mail.log
/*	posttls-audit -e -n 0 /var/log/mail.log
/* .fi
/* .sp
/*	Propose policy table entries:
/* .sp
/* .nf
/*	posttls-audit -P /var/log/mail.log
/* .fi
/* .sp
/*	Once a day, read what is new, keep what was learned, and write a
/*	web page:
/* .sp
/* .nf
/*	posttls-audit -H -S /var/lib/tls-audit /var/log/mail.log* >tls.html
/* .fi
/* .sp
/*	A systemd service and timer, and a line for \fBcron\fR(8), that keep
/*	a summary, metrics and a web page up to date as an unprivileged
/*	user, are in the readme_directory, or with Debian packages in
/*	/usr/share/doc/postfix/tls-audit and (not enabled) in their place;
/*	see "One host, kept up to date" in the README there.
/* SEE ALSO
/*	smtp(8), Postfix SMTP and LMTP client
/*	posttls-finger(1), probe the TLS properties of a server
/*	postconf(5), configuration parameters
/* README FILES
/* .ad
/* .fi
/*	Use "\fBpostconf readme_directory\fR" or "\fBpostconf
/*	html_directory\fR" to locate this information.
/* .na
/* .nf
/*	TLS_FALLBACK_README, TLS fallback and TLS audit
/*	TLS_README, Postfix TLS support
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Utility library. */

#include <argv.h>
#include <htable.h>
#include <msg.h>
#include <msg_vstream.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstream.h>
#include <vstring.h>

/* Global library. */

#include <mail_version.h>

/* Application-specific. */

#include "audit_facts.h"
#include "audit_html.h"
#include "audit_input.h"
#include "audit_out.h"
#include "audit_policy.h"
#include "audit_report.h"
#include "audit_silence.h"
#include "audit_store.h"
#include "audit_verdict.h"
#include "audit_version.h"
#include "audit_work.h"

#define STR	vstring_str

#define EXIT_FALLBACK	1		/* with option -x */
#define EXIT_ERROR	2

#define DEF_TOP		20
#define DEF_HTML_TOP	100
#define DEF_MINIMUM	20
#define DEF_SPAN	(7 * 86400L)
#define DEF_COLUMNS	80
#define NO_TOP		(-1)

#define ALL_INPUT	"all input"	/* instead of a file name */

#define OPTIONS		"ehHjm:M:n:pPr:s:S:u:vVw:x"

 /*
  * What to produce.
  */
typedef enum {
    WANT_TEXT, WANT_JSON, WANT_PROMETHEUS, WANT_HTML, WANT_POLICY
} AUDIT_WANT;

static const char help_text[] = "\
usage: posttls-audit [options] [file ...]\n\
Report how Postfix protected outgoing mail with TLS. Files are mail logs,\n\
plain or compressed, and summaries made with -S; the default is the standard input.\n\
\n\
  -e          problems only\n\
  -h          this text, as does --help\n\
  -H          one HTML page instead of text\n\
  -j          JSON instead of text\n\
  -m number   deliveries needed for the verdict \"enforce\" (default: 20)\n\
  -M time     and the time over which they must be spread (default: 7d)\n\
  -n number   rows per report (default: 20; 0: all; with -j all)\n\
  -p          Prometheus metrics instead of text\n\
  -P          TLS policy table entries instead of text\n\
  -r pattern  only matching relays, nexthops or recipient domains (repeatable)\n\
  -s time     since this time: 2026-11-21, \"2026-11-21 18:31\", today, 24h, 7d\n\
  -S summary  go on from this summary file, and replace it\n\
  -u time     until this time\n\
  -v          verbose, show lines that are not understood\n\
  -V          version\n\
  -w number   read several files at once (default: one for each processor)\n\
  -x          exit status 1 when a TLS policy was not met, or nothing is known\n\
\n\
Exit status: 0 success, 1 policy not met (with -x), 2 error. See posttls-audit(1).\n";

/* comment_notes - problems with the input, where output has no place for them */

static void comment_notes(const AUDIT_FACTS *facts)
{
    char  **cpp;

    for (cpp = facts->notes->argv; *cpp; cpp += 2)
	vstream_fprintf(VSTREAM_OUT, "# %s: %s\n", printable(cpp[0], '?'),
			printable(cpp[1], '?'));
}

/* number_option - parse non-negative number */

static int number_option(const char *text)
{
    if (!alldig(text) || strlen(text) > 9)
	msg_fatal_status(EXIT_ERROR, "bad number: %s", text);
    return (atoi(text));
}

/* span_option - parse how long, with a Postfix time unit */

static time_t span_option(const char *text)
{
    time_t  now = time((time_t *) 0);
    time_t  result;

    if (strcmp(text, "0") == 0)
	return (0);
    if (!ISDIGIT(*text) || audit_time_option(text, now, &result) == 0)
	msg_fatal_status(EXIT_ERROR, "bad time: %s (specify for example 7d)",
			 text);
    return (now - result);
}

/* time_option - parse time */

static time_t time_option(const char *text)
{
    time_t  result;

    if (audit_time_option(text, time((time_t *) 0), &result) == 0)
	msg_fatal_status(EXIT_ERROR, "bad time: %s (specify for example "
			 "2026-11-21, \"2026-11-21 18:31\", today, or 24h)",
			 text);
    return (result);
}

/* processors - how many there are */

static int processors(void)
{
    long    count = -1;

#ifdef _SC_NPROCESSORS_ONLN
    count = sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return (count > 0 ? (int) count : 1);
}

/* terminal_columns - how wide text may be */

static int terminal_columns(void)
{
    const char *text = getenv("COLUMNS");

#ifdef TIOCGWINSZ
    struct winsize size;

#endif
    if (text && alldig(text) && strlen(text) < 6 && atoi(text) > 0)
	return (atoi(text));
#ifdef TIOCGWINSZ
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
	return (size.ws_col);
#endif
    return (DEF_COLUMNS);
}

/* counters - metrics that never fall, and become the next run's business */

static VSTRING *counters(AUDIT_FACTS *facts, const AUDIT_READY *ready)
{
    VSTRING *text = vstring_alloc(10000);
    VSTREAM *stream = vstream_memopen(text, O_WRONLY);
    AUDIT_OUT *out = audit_out_create(stream, AUDIT_OUT_PROMETHEUS);

    out->before = facts->totals;
    out->totals = facts->totals = htable_create(100);
    audit_report(out, facts, ready);
    htable_free(out->before, myfree);
    audit_out_finish(out);
    (void) vstream_fclose(stream);
    return (text);
}

/* show_help - option -h */

static NORETURN show_help(void)
{
    vstream_fprintf(VSTREAM_OUT, "%s", help_text);
    (void) vstream_fflush(VSTREAM_OUT);
    exit(0);
}

/* show_version - option -V */

static NORETURN show_version(void)
{
    vstream_fprintf(VSTREAM_OUT, "posttls-audit %s (Postfix %s)\n",
		    TLS_AUDIT_VERSION, MAIL_VERSION_NUMBER);
    (void) vstream_fflush(VSTREAM_OUT);
    exit(0);
}

MAIL_VERSION_STAMP_DECLARE;

/* main - the main program */

int     main(int argc, char **argv)
{
    AUDIT_FACTS *facts = audit_facts_create();
    AUDIT_READY *ready;
    AUDIT_SELECT select;
    AUDIT_LIMITS limits;
    AUDIT_OUT *out;
    AUDIT_WANT want = WANT_TEXT;
    const char *silence;
    struct stat st;
    int     problems_only = 0;
    int     check_fallbacks = 0;
    int     workers = processors();
    int     flags = 0;
    const char *summary = 0;
    AUDIT_STORE *store = 0;
    VSTRING *metrics = 0;
    static char dash[] = "-";
    static char *standard_input[] = {dash, 0};
    int     top = NO_TOP;
    int     ok = 1;
    int     ch;
    int     fd;

    /*
     * Fingerprint executables and core dumps.
     */
    MAIL_VERSION_STAMP_ALLOCATE;

    /*
     * Be consistent with file permissions and open files, see the other
     * command-line tools.
     */
    for (fd = 0; fd < 3; fd++)
	if (fstat(fd, &st) == -1
	    && (close(fd), open("/dev/null", O_RDWR, 0)) != fd)
	    msg_fatal_status(EXIT_ERROR, "open /dev/null: %m");

    msg_vstream_init(argv[0], VSTREAM_ERR);
    memset((void *) &select, 0, sizeof(select));
    limits.deliveries = DEF_MINIMUM;
    limits.span = DEF_SPAN;

#define WANT(what) do { \
	if (want != WANT_TEXT && want != (what)) \
	    msg_fatal_status(EXIT_ERROR, "specify one of -H, -j, -p and -P"); \
	want = (what); \
    } while (0)

    if (argc > 1 && strcmp(argv[1], "--help") == 0)
	show_help();
    while ((ch = GETOPT(argc, argv, OPTIONS)) > 0) {
	switch (ch) {
	case 'e':
	    problems_only = 1;
	    break;
	case 'h':
	    show_help();
	case 'H':
	    WANT(WANT_HTML);
	    break;
	case 'j':
	    WANT(WANT_JSON);
	    break;
	case 'm':
	    limits.deliveries = number_option(optarg);
	    break;
	case 'M':
	    limits.span = span_option(optarg);
	    break;
	case 'n':
	    top = number_option(optarg);
	    break;
	case 'p':
	    WANT(WANT_PROMETHEUS);
	    break;
	case 'P':
	    WANT(WANT_POLICY);
	    break;
	case 'r':
	    if (select.patterns == 0)
		select.patterns = argv_alloc(1);
	    argv_add(select.patterns, lowercase(optarg), (char *) 0);
	    break;
	case 's':
	    select.since = time_option(optarg);
	    break;
	case 'S':
	    summary = optarg;
	    break;
	case 'u':
	    select.until = time_option(optarg);
	    break;
	case 'v':
	    msg_verbose++;
	    break;
	case 'V':
	    show_version();
	case 'w':
	    if ((workers = number_option(optarg)) < 1)
		msg_fatal_status(EXIT_ERROR, "bad number of workers: %s", optarg);
	    break;
	case 'x':
	    check_fallbacks = 1;
	    break;
	default:
	    vstream_fprintf(VSTREAM_ERR, "%s", help_text);
	    (void) vstream_fflush(VSTREAM_ERR);
	    exit(EXIT_ERROR);
	}
    }
    if (summary && (select.since || select.until || select.patterns))
	msg_fatal_status(EXIT_ERROR, "options -r, -s and -u are not for a summary");
    if (isatty(STDERR_FILENO))
	flags |= AUDIT_INPUT_PROGRESS;

    /*
     * A summary file without logs is only reported.
     */
    argc -= optind;
    argv += optind;
    if (summary)
	store = audit_store_open(summary, facts, argc > 0);
    if (argc == 0 && summary == 0) {
	if (isatty(STDIN_FILENO))
	    msg_info("reading the standard input; option -h shows a summary");
	argv = standard_input;
	argc = 1;
    }
    if (argc > 0)
	ok = audit_work(facts, &select, argv, argc, workers,
			summary ? flags | AUDIT_INPUT_RESUME : flags);
    if (summary && argc > 0)
	audit_store_write(store, facts);
    audit_input_finish(facts, &select);
    audit_facts_trim(facts);
    ready = audit_ready_create(facts, &limits);
    if (summary) {
	metrics = counters(facts, ready);
	if (argc > 0 && audit_store_replace(store, facts) == 0) {
	    msg_warn("%s: not changed: %m", summary);
	    ok = 0;
	    VSTRING_RESET(metrics);		/* not remembered, not told */
	    VSTRING_TERMINATE(metrics);
	}
    }
    if ((silence = audit_silence(facts)) != 0) {
	msg_warn("%s", silence);
	argv_insert_one(facts->notes, 0, silence);
	argv_insert_one(facts->notes, 0, ALL_INPUT);
    }
    if (want == WANT_POLICY || want == WANT_PROMETHEUS)
	comment_notes(facts);

    if (want == WANT_POLICY) {
	audit_policy(VSTREAM_OUT, ready);
    } else if (want == WANT_PROMETHEUS && summary) {
	vstream_fprintf(VSTREAM_OUT, "%s", STR(metrics));
	(void) vstream_fflush(VSTREAM_OUT);
    } else {
	out = audit_out_create(VSTREAM_OUT, want == WANT_JSON ? AUDIT_OUT_JSON :
			       want == WANT_PROMETHEUS ? AUDIT_OUT_PROMETHEUS :
			       want == WANT_HTML ? AUDIT_OUT_HTML :
			       AUDIT_OUT_TEXT);
	out->top = (top != NO_TOP ? top : want == WANT_TEXT ? DEF_TOP :
		    want == WANT_HTML ? DEF_HTML_TOP : 0);
	out->problems_only = problems_only;
	out->columns = terminal_columns();
	if (want == WANT_HTML)
	    audit_html_start(out, facts, ready);
	audit_report(out, facts, ready);
	if (want == WANT_HTML)
	    audit_html_end(out);
	audit_out_finish(out);
    }
    if (vstream_ferror(VSTREAM_OUT))
	msg_fatal_status(EXIT_ERROR, "write error: %m");

    exit(ok == 0 ? EXIT_ERROR :
	 check_fallbacks && (silence || audit_report_problems(facts) > 0) ?
	 EXIT_FALLBACK : 0);
}
