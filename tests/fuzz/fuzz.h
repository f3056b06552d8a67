#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_

/*++
/* NAME
/*	fuzz 3h
/* SUMMARY
/*	what the fuzz targets share
/* DESCRIPTION
/* .nf
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

 /*
  * System library.
  */
#include <sys_defs.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

 /*
  * Utility library.
  */
#include <msg.h>
#include <msg_output.h>
#include <mymalloc.h>
#include <stringops.h>
#include <vstring.h>

 /*
  * The interface of libFuzzer.
  */
extern int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
extern int LLVMFuzzerInitialize(int *, char ***);

 /*
  * A statement that must hold for every input. msg_panic() aborts, and
  * libFuzzer takes it from there. It also reports msg_fatal(), which exits.
  */
#define MUST(statement) do { \
	if (!(statement)) \
	    msg_panic("%s:%d: not: %s", __FILE__, __LINE__, #statement); \
    } while (0)

 /*
  * Warnings are counted instead of printed; the others cannot be ignored.
  */
static int fuzz_warnings;

static void fuzz_message(int level, const char *text)
{
    if (level == MSG_WARN)
	fuzz_warnings++;
    else if (level > MSG_WARN)
	(void) (write(STDERR_FILENO, text, strlen(text))
		+ write(STDERR_FILENO, "\n", 1));
}

/* fuzz_string - input as a string: the first null byte ends it */

static inline VSTRING *fuzz_string(VSTRING *buf, const uint8_t *data, size_t len)
{
    VSTRING_RESET(buf);
    vstring_memcpy(buf, (const char *) data, strnlen((const char *) data, len));
    VSTRING_TERMINATE(buf);
    return (buf);
}

#define STR(x)	vstring_str(x)

/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

#endif
