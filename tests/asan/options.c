/*++
/* NAME
/*	options 3
/* SUMMARY
/*	how the sanitizers report
/* DESCRIPTION
/*	Linked into each program of a sanitizer build (see tests/asan/build),
/*	because master(8) gives its children neither a standard error
/*	stream nor an environment: reports go to files.
/*
/*	No leaks are searched in daemons: they end without cleaning up,
/*	by design. The environment can turn that on where it makes sense.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#define OPTIONS "log_path=" SANITIZER_REPORTS "/log:detect_leaks=0" \
	":print_stacktrace=1:handle_abort=1:allocator_may_return_null=1"

extern const char *__asan_default_options(void);
extern const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
    return (OPTIONS);
}

const char *__ubsan_default_options(void)
{
    return (OPTIONS);
}
