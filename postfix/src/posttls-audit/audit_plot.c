/*++
/* NAME
/*	audit_plot 3
/* SUMMARY
/*	plots for the web page
/* SYNOPSIS
/*	#include "audit_plot.h"
/*
/*	void	audit_plot_patterns(stream)
/*	VSTREAM	*stream;
/*
/*	void	audit_plots(stream, facts)
/*	VSTREAM	*stream;
/*	const AUDIT_FACTS *facts;
/* DESCRIPTION
/*	This module draws bars as inline SVG, for the style sheet of
/*	audit_html(3). Each plot is a figure with a caption. Fills differ
/*	by pattern and not only by color, every bar says what it is when
/*	it is pointed at, and the numbers are also in the tables.
/*
/*	audit_plot_patterns() writes the patterns, once.
/*
/*	audit_plots() writes all plots: deliveries and fallbacks by day
/*	(by week, when there are too many days), and protocols, key
/*	exchange and what it protects from, by share.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <stdlib.h>
#include <string.h>

/* Utility library. */

#include <htable.h>
#include <mymalloc.h>
#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_html_text.h"
#include "audit_plot.h"
#include "audit_time.h"

#define STR	vstring_str

 /*
  * Plots over time, in units of the drawing.
  */
#define PLOT_WIDTH	640
#define PLOT_HEIGHT	230
#define PLOT_LEFT	56
#define PLOT_TOP	10
#define PLOT_BOTTOM	24
#define INNER_WIDTH	(PLOT_WIDTH - PLOT_LEFT - 10)
#define INNER_HEIGHT	(PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM)
#define GRID_LINES	4

#define BARS_MAX	92		/* or else by week */
#define WEEK		7
#define DATE_LEN	10

 /*
  * Plots of shares.
  */
#define SHARE_ROWS	8
#define SHARE_LEFT	190
#define SHARE_RIGHT	110
#define SHARE_STEP	24
#define SHARE_BAR	16
#define LABEL_MAX	26		/* characters */

 /*
  * What a bar is made of, from the bottom.
  */
typedef enum {
    PART_AUTH, PART_FALLBACK, PART_ENCRYPT, PART_MAY, PART_NONE, PART_UNSENT,
    PART_COUNT
} PLOT_PART;

typedef struct {
    const char *name;
    int     fill;
} PLOT_STYLE;

static const PLOT_STYLE level_parts[] = {
    {"authenticated", 0}, {"fell back from that", 1}, {"encrypt", 2},
    {"may", 3}, {"none", 4}, {"not sent", 5}, {0},
};

static const PLOT_STYLE fallback_parts[] = {
    {"deliveries", 1}, {"warnings", 4}, {0},
};

#define SHARE_FILL	2

 /*
  * One bar, and all of them.
  */
typedef struct {
    unsigned long part[AUDIT_PLOT_FILLS];
} PLOT_BAR;

typedef struct {
    PLOT_BAR *bars;
    int     count;
    long    first;			/* day */
    int     step;			/* days per bar */
} PLOT;

/* level_part - what a TLS state counts as */

static int level_part(const char *state)
{
    VSTRING *name;
    int     level;

    if (*state == '!' || strchr(state, '?') != 0)
	return (PART_UNSENT);
    name = vstring_strncpy(vstring_alloc(10), state, strcspn(state, ":"));
    level = audit_level_find(STR(name));
    if (audit_level_authenticates(level)) {
	vstring_free(name);
	return (strchr(state, ':') ? PART_FALLBACK : PART_AUTH);
    }
    if (strchr(state, ':') != 0)
	vstring_strcpy(name, strchr(state, ':') + 1);
    level = (strcmp(STR(name), "encrypt") == 0 ? PART_ENCRYPT :
	     strcmp(STR(name), "may") == 0 ? PART_MAY :
	     strcmp(STR(name), "none") == 0 ? PART_NONE : PART_UNSENT);
    vstring_free(name);
    return (level);
}

/* audit_plot_patterns - fills that differ without color */

void    audit_plot_patterns(VSTREAM *stream)
{
    static const char *const ink[AUDIT_PLOT_FILLS] = {
	"", "M-1,1 l2,-2 M0,8 l8,-8 M7,9 l2,-2", "M0,4 h8",
	"M4,0 v8", "M-1,7 l2,2 M0,0 l8,8 M7,-1 l2,2", "M0,4 h8 M4,0 v8",
    };
    int     n;

    vstream_fprintf(stream, "<svg class=\"patterns\" aria-hidden=\"true\"><defs>\n");
    for (n = 0; n < AUDIT_PLOT_FILLS; n++)
	vstream_fprintf(stream, "<pattern id=\"p%d\" width=\"8\" height=\"8\" "
			"patternUnits=\"userSpaceOnUse\"><rect class=\"f%d\" "
			"width=\"8\" height=\"8\"/><path class=\"ink\" d=\"%s\"/>"
			"</pattern>\n", n, n, *ink[n] ? ink[n] : "M0,0");
    vstream_fprintf(stream, "</defs></svg>\n");
}

/* plot_legend - what the fills mean, those that are used */

static void plot_legend(VSTREAM *stream, const PLOT_STYLE *parts,
			        const unsigned long *totals)
{
    int     n;

    vstream_fprintf(stream, "<ul class=\"legend\">");
    for (n = 0; parts[n].name; n++)
	if (totals[n] > 0)
	    vstream_fprintf(stream, "<li><svg viewBox=\"0 0 16 12\" aria-hidden=\"true\">"
			    "<rect width=\"16\" height=\"12\" fill=\"url(#p%d)\"/>"
			    "</svg> %s: %lu</li>", parts[n].fill,
			    parts[n].name, totals[n]);
    vstream_fprintf(stream, "</ul>\n");
}

/* plot_period - first and last day of a table */

static int plot_period(const AUDIT_FACTS *facts, AUDIT_TABLE_ID id,
		               long *first, long *last)
{
    HTABLE_INFO **list = htable_list(facts->tables[id].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    int     found = 0;
    int     n;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	for (n = 0; n < entry->day_count; n++) {
	    if (found == 0 || entry->days[n].day < *first)
		*first = entry->days[n].day;
	    if (found == 0 || entry->days[n].day > *last)
		*last = entry->days[n].day;
	    found = 1;
	}
    }
    myfree((void *) list);
    return (found);
}

/* plot_create - no bars yet, for the time for which there are deliveries */

static PLOT *plot_create(const AUDIT_FACTS *facts)
{
    PLOT   *plot;
    long    first;
    long    last;

    if (plot_period(facts, AUDIT_TABLE_LEVEL, &first, &last) == 0
	&& plot_period(facts, AUDIT_TABLE_FALLBACK_KIND, &first, &last) == 0)
	return (0);
    if (last - first >= AUDIT_DAY_KEEP)
	first = last - AUDIT_DAY_KEEP + 1;
    plot = (PLOT *) mymalloc(sizeof(*plot));
    plot->first = first;
    plot->step = (last - first < BARS_MAX ? 1 : WEEK);
    plot->count = (last - first) / plot->step + 1;
    plot->bars = (PLOT_BAR *) mymalloc(plot->count * sizeof(*plot->bars));
    memset((void *) plot->bars, 0, plot->count * sizeof(*plot->bars));
    return (plot);
}

/* plot_free - destroy plot */

static void plot_free(PLOT *plot)
{
    myfree((void *) plot->bars);
    myfree((void *) plot);
}

/* plot_add - add to the bar of a day */

static void plot_add(PLOT *plot, long day, int part, unsigned long count)
{
    long    n = (day - plot->first) / plot->step;

    if (day >= plot->first && n < plot->count)
	plot->bars[n].part[part] += count;
}

/* nice_top - round up, so that grid lines have round numbers */

static unsigned long nice_top(unsigned long highest)
{
    static const int steps[] = {4, 8, 12, 20, 40, 0};
    unsigned long unit;
    int     n;

    for (unit = 1; /* see below */ ; unit *= 10)
	for (n = 0; steps[n]; n++)
	    if (steps[n] * unit >= highest || unit > highest)
		return (steps[n] * unit);
}

/* plot_axes - grid lines and dates */

static void plot_axes(VSTREAM *stream, const PLOT *plot, unsigned long top)
{
    VSTRING *date = vstring_alloc(100);
    int     y;
    int     n;
    int     bar;
    static const char *const anchors[] = {"start", "middle", "end"};

    for (n = 0; n <= GRID_LINES; n++) {
	y = PLOT_TOP + INNER_HEIGHT - INNER_HEIGHT * n / GRID_LINES;
	vstream_fprintf(stream, "<path class=\"grid\" d=\"M%d,%d h%d\"/>"
			"<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%lu</text>\n",
			PLOT_LEFT, y, INNER_WIDTH, PLOT_LEFT - 6, y + 4,
			top / GRID_LINES * n);
    }
    for (n = 0; n < 3; n++) {
	if (n > 0 && plot->count < 3)
	    break;
	bar = (plot->count - 1) * n / 2;
	(void) audit_time_utc(date, (time_t) (plot->first + (long) bar * plot->step)
			      * AUDIT_DAY_SECONDS);
	vstring_truncate(date, DATE_LEN);
	VSTRING_TERMINATE(date);
	vstream_fprintf(stream, "<text class=\"dim\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
			PLOT_LEFT + INNER_WIDTH * n / 2, PLOT_HEIGHT - 6,
			anchors[n], STR(date));
    }
    vstring_free(date);
}

/* plot_part - one part of one bar */

static void plot_part(VSTREAM *stream, const PLOT *plot, int bar, int part,
		              const PLOT_STYLE *style, double x,
		              double width, double y, double height)
{
    VSTRING *date = vstring_alloc(100);

    (void) audit_time_utc(date, (time_t) (plot->first + (long) bar * plot->step)
			  * AUDIT_DAY_SECONDS);
    vstring_truncate(date, DATE_LEN);
    VSTRING_TERMINATE(date);
    vstream_fprintf(stream, "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		    "height=\"%.1f\" fill=\"url(#p%d)\"><title>%s%s: %s %lu</title></rect>\n",
		    x, y, width, height, style->fill,
		    plot->step > 1 ? "week of " : "", STR(date), style->name,
		    plot->bars[bar].part[part]);
    vstring_free(date);
}

/* plot_bars - bars over time; their parts on top of, or beside each other */

static void plot_bars(VSTREAM *stream, const PLOT *plot,
		              const PLOT_STYLE *parts, int stacked)
{
    double  step = (double) INNER_WIDTH / plot->count;
    double  width = (step > 40 ? 32 : step * 0.8);
    unsigned long highest = 1;
    unsigned long sum;
    unsigned long top;
    double  height;
    double  x;
    double  y;
    int     count;
    int     bar;
    int     n;

    for (count = 0; parts[count].name; count++)
	 /* void */ ;
    for (bar = 0; bar < plot->count; bar++) {
	for (sum = 0, n = 0; n < count; n++) {
	    sum = (stacked ? sum : 0) + plot->bars[bar].part[n];
	    if (sum > highest)
		highest = sum;
	}
    }
    top = nice_top(highest);
    plot_axes(stream, plot, top);
    for (bar = 0; bar < plot->count; bar++) {
	x = PLOT_LEFT + step * bar + (step - width) / 2;
	y = PLOT_TOP + INNER_HEIGHT;
	for (n = 0; n < count; n++) {
	    height = (double) INNER_HEIGHT * plot->bars[bar].part[n] / top;
	    if (height == 0)
		continue;
	    if (stacked)
		plot_part(stream, plot, bar, n, parts + n, x, width,
			  y -= height, height);
	    else
		plot_part(stream, plot, bar, n, parts + n, x + width * n / count,
			  width / count, y - height, height);
	}
    }
}

/* plot_figure - plot over time, with caption and legend */

static void plot_figure(VSTREAM *stream, const PLOT *plot, const char *title,
			        const PLOT_STYLE *parts, int stacked)
{
    unsigned long totals[AUDIT_PLOT_FILLS] = {0};
    int     bar;
    int     n;

    for (bar = 0; bar < plot->count; bar++)
	for (n = 0; parts[n].name; n++)
	    totals[n] += plot->bars[bar].part[n];
    vstream_fprintf(stream, "<figure>\n<figcaption><b>%s by %s (UTC)</b></figcaption>\n"
		    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s by %s\">\n",
		    title, plot->step > 1 ? "week" : "day",
		    PLOT_WIDTH, PLOT_HEIGHT, title, plot->step > 1 ? "week" : "day");
    plot_bars(stream, plot, parts, stacked);
    vstream_fprintf(stream, "</svg>\n");
    plot_legend(stream, parts, totals);
    vstream_fprintf(stream, "</figure>\n");
}

/* plot_levels - deliveries over time */

static void plot_levels(VSTREAM *stream, const AUDIT_FACTS *facts, PLOT *plot)
{
    HTABLE_INFO **list = htable_list(facts->tables[AUDIT_TABLE_LEVEL].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    int     n;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	for (n = 0; n < entry->day_count; n++)
	    plot_add(plot, entry->days[n].day, level_part(entry->key),
		     entry->days[n].count[AUDIT_COUNT_DELIVERIES]);
    }
    myfree((void *) list);
    plot_figure(stream, plot, "Deliveries", level_parts, 1);
}

/* plot_fallbacks - fallbacks over time */

static void plot_fallbacks(VSTREAM *stream, const AUDIT_FACTS *facts, PLOT *plot)
{
    HTABLE_INFO **list =
    htable_list(facts->tables[AUDIT_TABLE_FALLBACK_KIND].entries);
    HTABLE_INFO **ht;
    const AUDIT_COUNT *entry;
    int     kind;
    int     n;

    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	for (n = 0; n < entry->day_count; n++)
	    for (kind = 0; kind < AUDIT_COUNT_KINDS; kind++)
		plot_add(plot, entry->days[n].day, kind,
			 entry->days[n].count[kind]);
    }
    myfree((void *) list);
    plot_figure(stream, plot, "TLS fallbacks", fallback_parts, 0);
}

 /*
  * A share of something.
  */
typedef struct {
    VSTRING *label;
    unsigned long count;
} PLOT_SHARE;

/* compare_shares - largest first */

static int compare_shares(const void *a, const void *b)
{
    const PLOT_SHARE *left = (const PLOT_SHARE *) a;
    const PLOT_SHARE *right = (const PLOT_SHARE *) b;

    if (left->count != right->count)
	return (left->count < right->count ? 1 : -1);
    return (strcmp(STR(left->label), STR(right->label)));
}

/* short_label - cut at a character */

static void short_label(VSTRING *label)
{
    const unsigned char *cp;
    int     chars = 0;

    for (cp = (const unsigned char *) STR(label); *cp; cp++) {
	if ((*cp & 0xc0) != 0x80 && chars++ == LABEL_MAX) {
	    vstring_truncate(label, cp - (const unsigned char *) STR(label));
	    VSTRING_TERMINATE(label);
	    vstring_strcat(label, "...");
	    return;
	}
    }
}

/* plot_share - one row */

static void plot_share(VSTREAM *stream, PLOT_SHARE *share, int row,
		               unsigned long total)
{
    int     width = PLOT_WIDTH - SHARE_LEFT - SHARE_RIGHT;
    double  part = (double) share->count / total;
    int     y = row * SHARE_STEP + 4;

    vstream_fprintf(stream, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">",
		    SHARE_LEFT - 8, y + 12);
    short_label(share->label);
    audit_html_text(stream, STR(share->label));
    vstream_fprintf(stream, "</text><rect class=\"bar\" x=\"%d\" y=\"%d\" width=\"%.1f\" "
		    "height=\"%d\" fill=\"url(#p%d)\"/><text class=\"dim\" x=\"%.1f\" "
		    "y=\"%d\">%lu (%.1f%%)</text>\n",
		    SHARE_LEFT, y, width * part < 1 ? 1 : width * part, SHARE_BAR,
		    SHARE_FILL, SHARE_LEFT + width * part + 6, y + 12,
		    share->count, 100 * part);
}

/* plot_shares - bars, the largest first */

static void plot_shares(VSTREAM *stream, const char *title, const char *unit,
			        PLOT_SHARE *shares, int count)
{
    unsigned long total = 0;
    int     rows;
    int     n;

    for (n = 0; n < count; n++)
	total += shares[n].count;
    if (total == 0)
	return;
    qsort((void *) shares, count, sizeof(*shares), compare_shares);
    for (rows = 0; rows < count && shares[rows].count > 0; rows++)
	 /* void */ ;
    if (rows > SHARE_ROWS) {
	for (n = SHARE_ROWS; n < rows; n++)
	    shares[SHARE_ROWS - 1].count += shares[n].count;
	vstring_strcpy(shares[SHARE_ROWS - 1].label, "others");
	rows = SHARE_ROWS;
    }
    vstream_fprintf(stream, "<figure>\n<figcaption><b>%s</b>, %s</figcaption>\n"
		    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n",
		    title, unit, PLOT_WIDTH, rows * SHARE_STEP + 4, title);
    for (n = 0; n < rows; n++)
	plot_share(stream, shares + n, n, total);
    vstream_fprintf(stream, "</svg>\n</figure>\n");
}

/* plot_table - table of counts, with keys that start with a prefix */

static void plot_table(VSTREAM *stream, const AUDIT_FACTS *facts,
		               AUDIT_TABLE_ID id, const char *title,
		               const char *prefix)
{
    HTABLE *table = facts->tables[id].entries;
    HTABLE_INFO **list = htable_list(table);
    HTABLE_INFO **ht;
    PLOT_SHARE *shares = (PLOT_SHARE *) mymalloc((table->used + 1) * sizeof(*shares));
    const AUDIT_COUNT *entry;
    size_t  len = strlen(prefix);
    int     kind = AUDIT_COUNT_EVENTS;
    int     count = 0;
    int     n;

    /*
     * A delivery says more than a connection, where it is known.
     */
    for (ht = list; *ht; ht++)
	if (((const AUDIT_COUNT *) ht[0]->value)->count[AUDIT_COUNT_DELIVERIES])
	    kind = AUDIT_COUNT_DELIVERIES;
    for (ht = list; *ht; ht++) {
	entry = (const AUDIT_COUNT *) ht[0]->value;
	if (strncmp(entry->key, prefix, len) != 0)
	    continue;
	shares[count].label = vstring_strcpy(vstring_alloc(10), entry->key + len);
	shares[count++].count = entry->count[kind];
    }
    plot_shares(stream, title, kind == AUDIT_COUNT_DELIVERIES ?
		"by deliveries" : "by connections", shares, count);
    for (n = 0; n < count; n++)
	vstring_free(shares[n].label);
    myfree((void *) shares);
    myfree((void *) list);
}

 /*
  * The tables that are plotted.
  */
typedef struct {
    AUDIT_TABLE_ID table;
    const char *title;
    const char *prefix;			/* of the key, not shown */
} PLOT_TABLE;

static const PLOT_TABLE plot_tables[] = {
    {AUDIT_TABLE_PROTOCOL, "TLS protocols", ""},
    {AUDIT_TABLE_KEX, "Key exchange", ""},
    {AUDIT_TABLE_PROPERTY, "Forward secrecy", "forward secrecy" AUDIT_KEY_SEPARATOR},
    {AUDIT_TABLE_PROPERTY, "Post-quantum key exchange", "post-quantum" AUDIT_KEY_SEPARATOR},
    {AUDIT_TABLE_COUNT, 0, 0},
};

/* audit_plots - all plots */

void    audit_plots(VSTREAM *stream, const AUDIT_FACTS *facts)
{
    typedef void (*PLOT_FN) (VSTREAM *, const AUDIT_FACTS *, PLOT *);
    static const PLOT_FN by_day[] = {plot_levels, plot_fallbacks, 0};
    const PLOT_FN *fp;
    const PLOT_TABLE *tp;
    PLOT   *plot;

    for (fp = by_day; *fp; fp++) {
	if ((plot = plot_create(facts)) == 0) {
	    vstream_fprintf(stream, "<p>There is nothing to plot.</p>\n");
	    break;
	}
	(*fp) (stream, facts, plot);
	plot_free(plot);
    }
    for (tp = plot_tables; tp->table != AUDIT_TABLE_COUNT; tp++)
	plot_table(stream, facts, tp->table, tp->title, tp->prefix);
}
