/*++
/* NAME
/*	audit_html_text 3
/* SUMMARY
/*	text that is safe to show
/* SYNOPSIS
/*	#include "audit_html_text.h"
/*
/*	void	audit_html_text(stream, text)
/*	VSTREAM	*stream;
/*	const char *text;
/* DESCRIPTION
/*	audit_html_text() writes text that someone else may have chosen.
/*	Characters with a meaning in HTML are escaped, in content and in
/*	quoted attributes. What is not UTF-8, control characters, and
/*	characters that are invisible or change the direction of text
/*	are replaced.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <string.h>

/* Utility library. */

#include <vstream.h>

/* Application-specific. */

#include "audit_html_text.h"

#define REPLACEMENT	"\357\277\275"	/* U+FFFD */

 /*
  * Characters that are invisible, or change the order of others.
  */
typedef struct {
    long    first;
    long    last;
} HTML_RANGE;

static const HTML_RANGE deceptive[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x034f, 0x034f},
    {0x061c, 0x061c}, {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},
    {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
    {0xd800, 0xdfff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff},
    {0xffa0, 0xffa0}, {0xfff0, 0xffff}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
    {-1, -1},
};

/* utf8_char - decode one character, zero length if that is not UTF-8 */

static int utf8_char(const char *text, long *result)
{
    const unsigned char *cp = (const unsigned char *) text;
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
    int     len = (*cp < 0x80 ? 1 : (*cp & 0xe0) == 0xc0 ? 2 :
		   (*cp & 0xf0) == 0xe0 ? 3 : (*cp & 0xf8) == 0xf0 ? 4 : 0);
    int     n;

    if (len == 0)
	return (0);
    *result = (len == 1 ? *cp : *cp & (0x7f >> len));
    for (n = 1; n < len; n++) {
	if ((cp[n] & 0xc0) != 0x80)
	    return (0);
	*result = (*result << 6) | (cp[n] & 0x3f);
    }
    return (*result >= least[len] && *result <= 0x10ffff
	    && (*result & 0xfffe) != 0xfffe ? len : 0);
}

/* is_deceptive - character that nobody should see, or that nobody does */

static int is_deceptive(long ch)
{
    const HTML_RANGE *rp;

    for (rp = deceptive; rp->first >= 0; rp++)
	if (ch >= rp->first && ch <= rp->last)
	    return (1);
    return (0);
}

/* html_char - one character, escaped if necessary */

static void html_char(VSTREAM *stream, const char *text, int len)
{
    switch (*text) {
    case '<':
	vstream_fprintf(stream, "&lt;");
	break;
    case '>':
	vstream_fprintf(stream, "&gt;");
	break;
    case '&':
	vstream_fprintf(stream, "&amp;");
	break;
    case '"':
	vstream_fprintf(stream, "&quot;");
	break;
    case '\'':
	vstream_fprintf(stream, "&#39;");
	break;
    default:
	vstream_fwrite(stream, text, len);
	break;
    }
}

/* audit_html_text - text that someone else may have chosen */

void    audit_html_text(VSTREAM *stream, const char *text)
{
    long    ch;
    int     len;

    /*
     * Tabs and line ends have no meaning, except between our own lines.
     */
    for ( /* void */ ; *text; text += len) {
	len = utf8_char(text, &ch);
	if (len == 0 || (is_deceptive(ch) && ch != '\n' && ch != '\t'))
	    vstream_fprintf(stream, REPLACEMENT);
	else
	    html_char(stream, text, len);
	if (len == 0)
	    len = 1;
    }
}
