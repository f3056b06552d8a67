/*++
/* NAME
/*	audit_out 3
/* SUMMARY
/*	report formatter
/* SYNOPSIS
/*	#include "audit_out.h"
/*
/*	AUDIT_OUT *audit_out_create(stream, format)
/*	VSTREAM	*stream;
/*	AUDIT_OUT_FORMAT format;
/*
/*	void	audit_out_report(out, layout, function, context)
/*	AUDIT_OUT *out;
/*	const AUDIT_LAYOUT *layout;
/*	AUDIT_OUT_FN function;
/*	const void *context;
/*
/*	void	audit_out_row(out, cells)
/*	AUDIT_OUT *out;
/*	const AUDIT_CELL *cells;
/*
/*	void	audit_out_finish(out)
/*	AUDIT_OUT *out;
/* DESCRIPTION
/*	This module formats tables as text, as JSON, in Prometheus text
/*	exposition format, or as HTML with audit_html_table(3).
/*
/*	audit_out_create() prepares for output.
/*
/*	audit_out_report() formats one table. It calls the specified
/*	function with the output handle and the context. The function
/*	must call audit_out_row() with every row; a null pointer means
/*	that there are no rows. It may be called more than once, for
/*	example to find out how wide the columns of a text table must
/*	be; thus, rows need not be kept in memory.
/*
/*	A text table that is wider than the \fIcolumns\fR of the output
/*	handle gets narrower: long names are cut, and end in "...". When
/*	this is not enough, a row has more than one line. Numbers and
/*	times are never cut.
/*
/*	Metrics are gauges, or, when the output handle has \fItotals\fR,
/*	counters where that makes sense: none is less than it was
/*	\fIbefore\fR. See audit_count_total(3).
/*
/*	audit_out_finish() completes the output, flushes the stream
/*	and destroys the handle. It does not close the stream.
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

#include <htable.h>
#include <msg.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_count.h"
#include "audit_html_table.h"
#include "audit_out.h"
#include "audit_time.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

#define METRIC_PREFIX	"posttls_audit_"

#define INDENT		4		/* text */
#define GAP		2
#define COUNT_WIDTH	6

 /*
  * Counts and shares are aligned at the right.
  */
#define IS_NUMBER(column) \
	((column)->type == AUDIT_CELL_COUNT || (column)->type == AUDIT_CELL_SHARE)

 /*
  * A table that is no more than a list of counted words explains itself.
  */
static int has_headings(const AUDIT_LAYOUT *layout)
{
    const AUDIT_COLUMN *column;
    int     shown = 0;

    for (column = layout->columns; column->name; column++)
	shown += (column->heading != 0);
    return (shown > 2);
}

/* audit_out_create - prepare for output */

AUDIT_OUT *audit_out_create(VSTREAM *stream, AUDIT_OUT_FORMAT format)
{
    AUDIT_OUT *out = (AUDIT_OUT *) mymalloc(sizeof(*out));

    memset((void *) out, 0, sizeof(*out));
    out->stream = stream;
    out->format = format;
    out->buf = vstring_alloc(100);
    out->omissions = vstring_alloc(100);
    if (format == AUDIT_OUT_JSON)
	vstream_fprintf(stream, "{");
    return (out);
}

/* make_rows - call the function that has the rows */

static void make_rows(AUDIT_OUT *out, AUDIT_OUT_FN function,
		              const void *context)
{
    out->rows = out->omitted = 0;
    if (function != 0)
	function(out, context);
}

/* text_width - columns on a terminal, assuming that one character is one */

static int text_width(const char *text)
{
    int     width = 0;

    for ( /* void */ ; *text; text++)
	if ((*(const unsigned char *) text & 0xc0) != 0x80)
	    width++;
    return (width);
}

 /*
  * What may be cut: names, which are long, but not words of our own. A name that
  * is cut says so.
  */
#define CUT_MARK	"..."
#define CUT_MIN		24		/* of a name, this much stays */
#define WRAP_INDENT	(2 * INDENT)	/* further lines of a row */

#define MAY_BE_CUT(column)	((column)->type == AUDIT_CELL_TEXT)
#define IS_SHOWN(column)	((column)->heading != 0)

/* row_width - all columns in one line */

static int row_width(const AUDIT_OUT *out, const int *width)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    int     total = INDENT - GAP;
    int     n;

    for (n = 0; column[n].name; n++)
	if (IS_SHOWN(column + n))
	    total += width[n] + GAP;
    return (total);
}

/* cut_widest - make the longest names shorter until a row fits */

static int cut_widest(AUDIT_OUT *out, int *width)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    int     widest;
    int     n;

    while (row_width(out, width) > out->columns) {
	for (widest = -1, n = 0; column[n].name; n++)
	    if (IS_SHOWN(column + n) && MAY_BE_CUT(column + n)
		&& width[n] > CUT_MIN
		&& (widest < 0 || width[n] > width[widest]))
		widest = n;
	if (widest < 0)
	    return (0);
	width[widest] -= 1;
    }
    return (1);
}

/* wrap_columns - which columns begin another line */

static void wrap_columns(AUDIT_OUT *out)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    int     room = out->columns * 2 / 5;
    int     position = 0;
    int     n;

    for (n = 0; column[n].name; n++) {
	if (!IS_SHOWN(column + n))
	    continue;
	if (MAY_BE_CUT(column + n) && out->width[n] > room && room >= CUT_MIN)
	    out->width[n] = room;
	if (position > 0 && position + GAP + out->width[n] > out->columns) {
	    out->wrapped[n] = 1;
	    position = WRAP_INDENT + out->width[n];
	} else {
	    position += (n ? GAP : INDENT) + out->width[n];
	}
    }
}

/* fit_columns - make a row fit */

static void fit_columns(AUDIT_OUT *out)
{
    int     width[AUDIT_COLUMN_MAX];

    memcpy((void *) width, (void *) out->width, sizeof(width));
    if (cut_widest(out, width))
	memcpy((void *) out->width, (void *) width, sizeof(width));
    else
	wrap_columns(out);
}

/* cut_text - as much as there is room for */

static const char *cut_text(AUDIT_OUT *out, int n, const char *text)
{
    static VSTRING *buf;
    int     room = out->width[n] - (int) strlen(CUT_MARK);
    const char *cp;

    if (out->columns == 0 || !MAY_BE_CUT(out->layout->columns + n)
	|| text_width(text) <= out->width[n] || room < 0)
	return (text);
    if (buf == 0)
	buf = vstring_alloc(100);
    for (cp = text; *cp; cp++)
	if ((*(const unsigned char *) cp & 0xc0) != 0x80 && room-- == 0)
	    break;
    vstring_strncpy(buf, text, cp - text);
    return (STR(vstring_strcat(buf, CUT_MARK)));
}

/* text_field - print one aligned field */

static void text_field(AUDIT_OUT *out, int n, const char *text)
{
    int     gap = (n == 0 ? INDENT : out->wrapped[n] ? WRAP_INDENT : GAP);
    int     pad = out->width[n] - text_width(text);

    /*
     * No trailing space: remember it until there is something to print.
     */
    if (pad < 0)
	pad = 0;
    if (out->wrapped[n])
	VSTREAM_PUTC('\n', out->stream);
    if (n == 0 || out->wrapped[n])
	out->pending = 0;
    if (IS_NUMBER(out->layout->columns + n)) {
	vstream_fprintf(out->stream, "%*s%s", out->pending + gap + pad, "", text);
	out->pending = 0;
    } else {
	vstream_fprintf(out->stream, "%*s%s", out->pending + gap, "", text);
	out->pending = pad;
    }
}

/* text_title - print title, and headings if necessary */

static void text_title(AUDIT_OUT *out)
{
    const AUDIT_LAYOUT *layout = out->layout;
    int     n;

    vstream_fprintf(out->stream, "\n%s\n", layout->title);
    for (n = strlen(layout->title); n > 0; n--)
	VSTREAM_PUTC('-', out->stream);
    VSTREAM_PUTC('\n', out->stream);
    if (layout->note)
	vstream_fprintf(out->stream, "%s\n", layout->note);
    if (out->rows == 0) {
	vstream_fprintf(out->stream, "%*snone\n", INDENT, "");
    } else if (has_headings(layout)) {
	for (n = 0; layout->columns[n].name; n++)
	    if (layout->columns[n].heading)
		text_field(out, n, layout->columns[n].heading);
	VSTREAM_PUTC('\n', out->stream);
    }
}

/* text_row - print row, or measure it */

static void text_row(AUDIT_OUT *out, const AUDIT_CELL *cells)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    const char *text;
    int     width;
    int     n;

    for (n = 0; column[n].name; n++) {
	if (column[n].heading == 0)
	    continue;
	text = audit_cell_text(out->buf, column[n].type, cells + n);
	if (out->measuring == 0)
	    text_field(out, n, cut_text(out, n, text));
	else if ((width = text_width(text)) > out->width[n])
	    out->width[n] = width;
    }
    if (out->measuring == 0)
	VSTREAM_PUTC('\n', out->stream);
}

/* text_report - print table */

static void text_report(AUDIT_OUT *out, AUDIT_OUT_FN function,
			        const void *context)
{
    const AUDIT_LAYOUT *layout = out->layout;
    int     n;

    for (n = 0; layout->columns[n].name; n++)
	out->width[n] = (layout->columns[n].heading && has_headings(layout) ?
			 text_width(layout->columns[n].heading) :
			 IS_NUMBER(layout->columns + n) ? COUNT_WIDTH : 0);
    memset((void *) out->wrapped, 0, sizeof(out->wrapped));
    out->measuring = 1;
    make_rows(out, function, context);
    out->measuring = 0;
    if (out->rows == 0 && (out->problems_only
			   || (layout->flags & AUDIT_LAYOUT_ALWAYS) == 0))
	return;
    if (out->columns > 0)
	fit_columns(out);
    text_title(out);
    if (out->rows == 0)
	return;
    make_rows(out, function, context);
    if (out->omitted)
	vstream_fprintf(out->stream, "%*s... and %lu more (-n 0 shows all)\n",
			INDENT, "", out->omitted);
}

/* quoted - format string as JSON or as Prometheus label value */

static const char *quoted(VSTRING *buf, const char *text)
{
    VSTRING_RESET(buf);
    VSTRING_ADDCH(buf, '"');
    for ( /* void */ ; *text; text++) {
	if (*text == '"' || *text == '\\')
	    VSTRING_ADDCH(buf, '\\');
	if (*(const unsigned char *) text < ' ')
	    VSTRING_ADDCH(buf, '?');
	else
	    VSTRING_ADDCH(buf, *text);
    }
    VSTRING_ADDCH(buf, '"');
    VSTRING_TERMINATE(buf);
    return (STR(buf));
}

/* json_cell - format cell as JSON */

static const char *json_cell(VSTRING *buf, AUDIT_CELL_TYPE type,
			             const AUDIT_CELL *cell)
{
    char    stamp[64];

    switch (type) {
    case AUDIT_CELL_TEXT:
    case AUDIT_CELL_NOTE:
    case AUDIT_CELL_DIGEST:
	return (cell->text ? quoted(buf, cell->text) : "null");
    case AUDIT_CELL_COUNT:
	return (STR(vstring_sprintf(buf, "%lu", cell->count)));
    case AUDIT_CELL_TIME:
    case AUDIT_CELL_DAY:
	if (cell->time == 0)
	    return ("null");
	(void) strncpy(stamp, type == AUDIT_CELL_DAY ?
		       audit_cell_day(buf, cell->time) :
		       audit_time_utc(buf, cell->time), sizeof(stamp) - 1);
	stamp[sizeof(stamp) - 1] = 0;
	return (quoted(buf, stamp));
    case AUDIT_CELL_SHARE:
	return (STR(vstring_sprintf(buf, "%.1f", cell->share)));
    }
    msg_panic("json_cell: bad type %d", type);
}

/* json_row - print row */

static void json_row(AUDIT_OUT *out, const AUDIT_CELL *cells)
{
    const AUDIT_COLUMN *column = out->layout->columns;
    int     n;

    vstream_fprintf(out->stream, "%s\n    {", out->rows ? "," : "");
    for (n = 0; column[n].name; n++)
	vstream_fprintf(out->stream, "%s\"%s\": %s", n ? ", " : "",
			column[n].name,
			json_cell(out->buf, column[n].type, cells + n));
    vstream_fprintf(out->stream, "}");
}

/* json_report - print table */

static void json_report(AUDIT_OUT *out, AUDIT_OUT_FN function,
			        const void *context)
{
    vstream_fprintf(out->stream, "%s\n  \"%s\": [", out->reports ? "," : "",
		    out->layout->name);
    make_rows(out, function, context);
    vstream_fprintf(out->stream, "%s]", out->rows ? "\n  " : "");
    vstring_sprintf_append(out->omissions, "%s\"%s\": %lu",
			   out->reports ? ", " : "", out->layout->name,
			   out->omitted);
}

#define COUNTERS_MAX	20000

#define IS_COUNTER(out, column) \
	((out)->totals && (column)->type == AUDIT_CELL_COUNT \
	    && (column)->is_state == 0)

/* metric_name - name without labels */

static void metric_name(AUDIT_OUT *out, VSTRING *buf)
{
    vstring_sprintf(buf, METRIC_PREFIX "%s%s", out->metric->metric,
		    IS_COUNTER(out, out->metric) ? "_total" : "");
}

/* prometheus_row - print one metric */

static void prometheus_row(AUDIT_OUT *out, const AUDIT_CELL *cells)
{
    static VSTRING *name;
    const AUDIT_COLUMN *column = out->layout->columns;
    const char *separator = "{";
    unsigned long value;
    int     n;

    if (name == 0)
	name = vstring_alloc(100);
    metric_name(out, name);
    for (n = 0; column[n].name; n++) {
	if (column[n].type != AUDIT_CELL_TEXT)
	    continue;
	vstring_sprintf_append(name, "%s%s=%s", separator, column[n].name,
			  quoted(out->buf, cells[n].text ? cells[n].text : ""));
	separator = ",";
    }
    if (*separator == ',')
	vstring_strcat(name, "}");
    n = out->metric - column;
    value = (out->metric->type == AUDIT_CELL_TIME ?
	     (unsigned long) cells[n].time : cells[n].count);
    if (IS_COUNTER(out, out->metric))
	value = audit_count_total(out->totals, STR(name),
			    audit_count_total(out->before, STR(name), value));
    vstream_fprintf(out->stream, "%s %lu\n", STR(name), value);
}

/* prometheus_gone - counters that have no row any more */

static void prometheus_gone(AUDIT_OUT *out)
{
    HTABLE_INFO **list;
    HTABLE_INFO **ht;
    size_t  len;

    /*
     * These are few, unless someone makes them up.
     */
    if (out->before->used > COUNTERS_MAX)
	return;
    metric_name(out, out->buf);
    len = LEN(out->buf);
    list = htable_list(out->before);
    for (ht = list; *ht; ht++)
	if (strncmp(ht[0]->key, STR(out->buf), len) == 0
	    && ht[0]->key[len] == '{'
	    && htable_locate(out->totals, ht[0]->key) == 0)
	    vstream_fprintf(out->stream, "%s %lu\n", ht[0]->key,
			    audit_count_total(out->totals, ht[0]->key,
				     *(const unsigned long *) ht[0]->value));
    myfree((void *) list);
}

/* prometheus_report - print metrics of one table */

static void prometheus_report(AUDIT_OUT *out, AUDIT_OUT_FN function,
			        const void *context)
{
    const AUDIT_COLUMN *column;

    for (column = out->layout->columns; column->name; column++) {
	if (column->metric == 0)
	    continue;
	out->metric = column;
	metric_name(out, out->buf);
	vstream_fprintf(out->stream, "# HELP %s %s\n# TYPE %s %s\n",
			STR(out->buf), column->help, STR(out->buf),
			IS_COUNTER(out, column) ? "counter" : "gauge");
	make_rows(out, function, context);
	if (IS_COUNTER(out, column))
	    prometheus_gone(out);
    }
}

/* audit_out_row - one row */

void    audit_out_row(AUDIT_OUT *out, const AUDIT_CELL *cells)
{
    typedef void (*ROW_FN) (AUDIT_OUT *, const AUDIT_CELL *);
    static const ROW_FN actions[] = {
	text_row, json_row, prometheus_row, audit_html_table_row,
    };

    /*
     * Metrics are few by design, and one that comes and goes is useless.
     */
    if (out->format != AUDIT_OUT_PROMETHEUS
	&& out->top && out->rows >= out->top
	&& (out->layout->flags & AUDIT_LAYOUT_ALL) == 0) {
	out->omitted++;
	return;
    }
    actions[out->format] (out, cells);
    out->rows++;
}

/* audit_out_report - one table */

void    audit_out_report(AUDIT_OUT *out, const AUDIT_LAYOUT *layout,
			         AUDIT_OUT_FN function, const void *context)
{
    typedef void (*REPORT_FN) (AUDIT_OUT *, AUDIT_OUT_FN, const void *);
    static const REPORT_FN actions[] = {
	text_report, json_report, prometheus_report, audit_html_table,
    };

    out->layout = layout;
    actions[out->format] (out, function, context);
    out->reports++;
}

/* audit_out_finish - complete the output */

void    audit_out_finish(AUDIT_OUT *out)
{
    if (out->format == AUDIT_OUT_JSON)
	vstream_fprintf(out->stream, ",\n  \"omitted\": {%s}\n}\n",
			STR(out->omissions));
    (void) vstream_fflush(out->stream);
    vstring_free(out->buf);
    vstring_free(out->omissions);
    myfree((void *) out);
}
