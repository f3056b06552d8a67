/*++
/* NAME
/*	audit_html_table 3
/* SUMMARY
/*	tables of a web page
/* SYNOPSIS
/*	#include "audit_html_table.h"
/*
/*	void	audit_html_table(out, function, context)
/*	AUDIT_OUT *out;
/*	AUDIT_OUT_FN function;
/*	const void *context;
/*
/*	void	audit_html_table_row(out, cells)
/*	AUDIT_OUT *out;
/*	const AUDIT_CELL *cells;
/* DESCRIPTION
/*	These functions write one table; they are called by audit_out(3).
/*	What is on top of the page, see audit_html(3), is left out.
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
#include <vstring.h>

/* Application-specific. */

#include "audit_cell.h"
#include "audit_html_table.h"
#include "audit_html_text.h"

 /*
  * These are not shown as tables, because they are on top of the page.
  */
static const char *const on_top[] = {
    "notes", "period", "verdicts", "attainable_verdicts", 0,
};

/* is_on_top - shown elsewhere */

static int is_on_top(const char *name)
{
    const char *const * cpp;

    for (cpp = on_top; *cpp; cpp++)
	if (strcmp(*cpp, name) == 0)
	    return (1);
    return (0);
}

 /*
  * What is in a plot can wait until somebody wants the numbers.
  */
#define IS_HISTORY(layout)	((layout)->columns[0].type == AUDIT_CELL_DAY)

/* table_title - before the first row, or instead of it */

static void table_title(AUDIT_OUT *out)
{
    const AUDIT_LAYOUT *layout = out->layout;

    vstream_fprintf(out->stream, "<section>\n<h3>%s</h3>\n%s", layout->title,
		    IS_HISTORY(layout) ? "<details><summary>show</summary>\n" : "");
    if (layout->note) {
	vstream_fprintf(out->stream, "<p class=\"note\">");
	audit_html_text(out->stream, layout->note);
	vstream_fprintf(out->stream, "</p>\n");
    }
}

/* cell_class - how a column looks */

static const char *cell_class(AUDIT_CELL_TYPE type)
{
    switch (type) {
    case AUDIT_CELL_COUNT:
    case AUDIT_CELL_SHARE:
	return ("n");
    case AUDIT_CELL_TIME:
    case AUDIT_CELL_DAY:
	return ("t");
    default:
	return ("x");
    }
}

/* table_head - start of a table */

static void table_head(AUDIT_OUT *out)
{
    const AUDIT_COLUMN *column;

    vstream_fprintf(out->stream, "<div class=\"wide\"><table>\n<thead><tr>");
    for (column = out->layout->columns; column->name; column++)
	if (column->heading)
	    vstream_fprintf(out->stream, *column->heading ?
			    "<th scope=\"col\" class=\"%s\">%s</th>" :
			    "<td class=\"%s\">%s</td>",
			    cell_class(column->type), column->heading);
    vstream_fprintf(out->stream, "</tr></thead>\n<tbody>\n");
}

/* audit_html_table_row - one row */

void    audit_html_table_row(AUDIT_OUT *out, const AUDIT_CELL *cells)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    int     n;

    if (is_on_top(out->layout->name))
	return;
    if (out->rows == 0) {
	table_title(out);
	table_head(out);
    }
    vstream_fprintf(out->stream, "<tr>");
    for (n = 0; column[n].name; n++) {
	if (column[n].heading == 0)
	    continue;
	vstream_fprintf(out->stream, "<td class=\"%s\"><bdi>",
			cell_class(column[n].type));
	audit_html_text(out->stream, audit_cell_text(out->buf, column[n].type,
						    cells + n));
	vstream_fprintf(out->stream, "</bdi></td>");
    }
    vstream_fprintf(out->stream, "</tr>\n");
}

/* audit_html_table - one table */

void    audit_html_table(AUDIT_OUT *out, AUDIT_OUT_FN function,
			          const void *context)
{
    out->rows = out->omitted = 0;
    if (function != 0)
	function(out, context);
    if (is_on_top(out->layout->name))
	return;
    if (out->rows > 0) {
	vstream_fprintf(out->stream, "</tbody></table></div>\n");
	if (out->omitted)
	    vstream_fprintf(out->stream, "<p class=\"note\">... and %lu more "
			    "(-n 0 shows all)</p>\n", out->omitted);
	vstream_fprintf(out->stream, "%s</section>\n",
			IS_HISTORY(out->layout) ? "</details>\n" : "");
    } else if (out->layout->flags & AUDIT_LAYOUT_ALWAYS) {
	table_title(out);
	vstream_fprintf(out->stream, "<p>none</p>\n</section>\n");
    }
}
