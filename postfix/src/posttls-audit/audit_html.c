/*++
/* NAME
/*	audit_html 3
/* SUMMARY
/*	self-contained web page
/* SYNOPSIS
/*	#include "audit_html.h"
/*
/*	void	audit_html_start(out, facts, ready)
/*	AUDIT_OUT *out;
/*	const AUDIT_FACTS *facts;
/*	const AUDIT_READY *ready;
/*
/*	void	audit_html_end(out)
/*	AUDIT_OUT *out;
/* DESCRIPTION
/*	This module produces one HTML page with everything in it: style
/*	sheet, plots and tables. The page has no script, and uses no
/*	other resource; it forbids both to itself. It is readable in
/*	light and dark, in print, and without color.
/*
/*	audit_html_start() writes what comes before the tables: problems
/*	with the input, verdicts, proposals and plots.
/*
/*	audit_html_end() completes the page.
/* SEE ALSO
/*	audit_html_table(3), tables
/*	audit_html_text(3), text that is safe to show
/*	audit_plot(3), plots
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Utility library. */

#include <vstream.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_html.h"
#include "audit_html_text.h"
#include "audit_plot.h"
#include "audit_policy.h"
#include "audit_report.h"
#include "audit_time.h"

#define STR	vstring_str
#define LEN	VSTRING_LEN

 /*
  * Proposals are shown up to this length. There is an option for the others.
  */
#define PROPOSALS_MAX	20000

static const char page_head[] = "\
<!DOCTYPE html>\n\
<html lang=\"en\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<meta name=\"generator\" content=\"posttls-audit\">\n\
<title>Postfix TLS report</title>\n\
<style>\n\
:root { --bg: #fff; --fg: #1b1f24; --dim: #57606a; --line: #d0d7de; --box: #f6f8fa;\n\
 --good: #116329; --warn: #7d4e00; --bad: #a40e26; --link: #0550ae;\n\
 --c0: #1a7f37; --c1: #cf222e; --c2: #0969da; --c3: #8c959f; --c4: #bf8700; --c5: #6639ba; }\n\
@media (prefers-color-scheme: dark) {\n\
:root { --bg: #0d1117; --fg: #e6edf3; --dim: #9198a1; --line: #3d444d; --box: #151b23;\n\
 --good: #4ac26b; --warn: #e3b341; --bad: #ff8182; --link: #79c0ff;\n\
 --c0: #3fb950; --c1: #f85149; --c2: #58a6ff; --c3: #7d8590; --c4: #d29922; --c5: #bc8cff; } }\n\
@media print { :root { --bg: #fff; --fg: #000; --dim: #333; --line: #999; --box: #fff; }\n\
 figure, tr, .cards > div { break-inside: avoid } nav { display: none }\n\
 .wide, pre { overflow: visible; max-height: none } body { max-width: none; font-size: 10pt }\n\
 svg rect, svg pattern * { print-color-adjust: exact; -webkit-print-color-adjust: exact } }\n\
* { box-sizing: border-box }\n\
body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--bg); color: var(--fg);\n\
 font: 1rem/1.45 system-ui, sans-serif }\n\
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem;\n\
 border-bottom: 1px solid var(--line) } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }\n\
p { margin: .25rem 0 } a { color: var(--link) } nav a { margin-right: 1rem }\n\
.dim, figcaption, .note { color: var(--dim) }\n\
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: .75rem }\n\
.cards > div { border: 1px solid var(--line); border-radius: .4rem; background: var(--box);\n\
 padding: .5rem .75rem }\n\
.cards b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }\n\
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }\n\
.problem { border: 2px solid var(--bad); border-radius: .4rem; padding: .5rem .75rem; margin: 1rem 0 }\n\
.problem ul { margin: .25rem 0; padding-left: 1.25rem }\n\
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem }\n\
figure { margin: 0; border: 1px solid var(--line); border-radius: .4rem; padding: .75rem }\n\
figcaption b { color: var(--fg) }\n\
svg { display: block; width: 100%; height: auto }\n\
svg.patterns { position: absolute; width: 0; height: 0 }\n\
svg text { fill: var(--fg); font: 13px system-ui, sans-serif } svg text.dim { fill: var(--dim) }\n\
svg .grid { stroke: var(--line); stroke-width: 1 } svg .bar { stroke: var(--bg); stroke-width: .5 }\n\
.legend { list-style: none; margin: .25rem 0; padding: 0 } .legend li { display: inline-block; margin-right: 1rem }\n\
.legend svg { display: inline-block; width: 1.2em; height: .9em; vertical-align: -.1em }\n\
.f0 { fill: var(--c0) } .f1 { fill: var(--c1) } .f2 { fill: var(--c2) }\n\
.f3 { fill: var(--c3) } .f4 { fill: var(--c4) } .f5 { fill: var(--c5) }\n\
.ink { stroke: var(--bg); stroke-width: 2; fill: none }\n\
.wide { overflow-x: auto }\n\
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums }\n\
th, td { padding: .2rem .6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }\n\
th { white-space: nowrap } td.n, th.n { text-align: right } td.t { white-space: nowrap }\n\
td.x bdi { display: inline-block; max-width: 22rem; overflow-wrap: break-word }\n\
pre { background: var(--box); border: 1px solid var(--line); border-radius: .4rem; padding: .75rem;\n\
 max-height: 32rem; overflow: auto; font-size: .8125rem; white-space: pre-wrap; overflow-wrap: anywhere }\n\
summary { cursor: pointer }\n\
</style>\n\
</head>\n\
<body>\n";

 /*
  * What a verdict is worth, and a sign for those who do not see color.
  */
typedef struct {
    AUDIT_VERDICT verdict;
    int     has_policy;
    const char *class;
    const char *sign;
    const char *meaning;
} HTML_VERDICT;

static const HTML_VERDICT html_verdicts[] = {
    {AUDIT_VERDICT_ENFORCE, 1, "good", "&#10003;", "all deliveries were verified"},
    {AUDIT_VERDICT_MIXED, 1, "warn", "!", "some were verified"},
    {AUDIT_VERDICT_BROKEN, 1, "bad", "&#10007;", "none was verified"},
    {AUDIT_VERDICT_FEW, 1, "dim", "&#8230;", "not enough to tell"},
    {AUDIT_VERDICT_COULD, 0, "good", "&#10003;", "an authenticated level was always attainable"},
    {AUDIT_VERDICT_MIXED, 0, "warn", "!", "it was attainable sometimes"},
    {AUDIT_VERDICT_CANNOT, 0, "dim", "&#10007;", "it was never attainable"},
    {AUDIT_VERDICT_FEW, 0, "dim", "&#8230;", "not enough to tell"},
    {AUDIT_VERDICT_COUNT, 0, 0, 0, 0},
};

/* show_notes - problems with the input */

static void show_notes(VSTREAM *stream, const AUDIT_FACTS *facts)
{
    char  **cpp;

    if (facts->notes->argc == 0)
	return;
    vstream_fprintf(stream, "<div class=\"problem\" role=\"note\">\n"
		    "<strong>Problems with the input</strong>\n<ul>\n");
    for (cpp = facts->notes->argv; *cpp; cpp += 2) {
	vstream_fprintf(stream, "<li><bdi>");
	audit_html_text(stream, cpp[0]);
	vstream_fprintf(stream, "</bdi>: <bdi>");
	audit_html_text(stream, cpp[1]);
	vstream_fprintf(stream, "</bdi></li>\n");
    }
    vstream_fprintf(stream, "</ul>\n</div>\n");
}

/* show_heading - title and period */

static void show_heading(VSTREAM *stream, const AUDIT_FACTS *facts)
{
    VSTRING *when = vstring_alloc(100);

    vstream_fprintf(stream, "<header>\n<h1>Postfix TLS report</h1>\n<p class=\"dim\">");
    if (facts->last) {
	vstream_fprintf(stream, "%s", audit_time_local(when, facts->first));
	vstream_fprintf(stream, " to %s, ", audit_time_local(when, facts->last));
    }
    vstream_fprintf(stream, "made %s</p>\n</header>\n",
		    audit_time_local(when, time((time_t *) 0)));
    vstring_free(when);
}

/* show_card - one number */

static void show_card(VSTREAM *stream, const char *class, const char *sign,
		              unsigned long number, const char *what,
		              const char *meaning)
{
    vstream_fprintf(stream, "<div><b class=\"%s\">%s %lu</b><strong>%s</strong>"
		    "<br><span class=\"dim\">%s</span></div>\n",
		    class, sign, number, what, meaning);
}

/* count_verdicts - destinations with that verdict */

static unsigned long count_verdicts(const AUDIT_READY *ready,
				            const HTML_VERDICT *vp)
{
    const AUDIT_READINESS *row;
    unsigned long count = 0;

    for (row = ready->rows; row < ready->rows + ready->count; row++)
	count += (row->verdict == vp->verdict
		  && (audit_readiness_has_policy(row) != 0) == vp->has_policy);
    return (count);
}

/* show_verdicts - verdicts, with or without an authenticated policy */

static void show_verdicts(VSTREAM *stream, const AUDIT_READY *ready,
			          int has_policy)
{
    const HTML_VERDICT *vp;
    unsigned long count;

    vstream_fprintf(stream, "<h3>Destinations %s an authenticated policy</h3>\n"
		    "<div class=\"cards\">\n", has_policy ? "with" : "without");
    for (vp = html_verdicts; vp->verdict != AUDIT_VERDICT_COUNT; vp++) {
	if (vp->has_policy != has_policy)
	    continue;
	count = count_verdicts(ready, vp);
	show_card(stream, count ? vp->class : "dim", vp->sign, count,
		  audit_verdicts[vp->verdict], vp->meaning);
    }
    vstream_fprintf(stream, "</div>\n");
}

/* show_summary - what matters most */

static void show_summary(VSTREAM *stream, const AUDIT_FACTS *facts,
			         const AUDIT_READY *ready)
{
    const AUDIT_READINESS *row;
    unsigned long problems = audit_report_problems(facts);
    unsigned long regressed = 0;

    for (row = ready->rows; row < ready->rows + ready->count; row++)
	regressed += (row->regressed != 0);
    vstream_fprintf(stream, "<h2 id=\"verdicts\">Verdicts</h2>\n<div class=\"cards\">\n");
    show_card(stream, problems ? "bad" : "good", problems ? "&#10007;" : "&#10003;",
	      problems, "TLS problems", "fallbacks, also refused ones, and mail "
	      "not sent because of TLS");
    show_card(stream, regressed ? "bad" : "good", regressed ? "&#10007;" : "&#10003;",
	      regressed, "regressions", "could be enforced, and no longer can");
    vstream_fprintf(stream, "</div>\n");
    show_verdicts(stream, ready, 1);
    if (facts->lines[AUDIT_LINES_ATTAIN] > 0)
	show_verdicts(stream, ready, 0);
}

/* show_proposals - policy table entries */

static void show_proposals(VSTREAM *stream, const AUDIT_READY *ready)
{
    VSTRING *text = vstring_alloc(1000);
    VSTREAM *memory = vstream_memopen(text, O_WRONLY);
    int     cut;

    audit_policy(memory, ready);
    (void) vstream_fclose(memory);
    VSTRING_TERMINATE(text);
    if ((cut = (LEN(text) > PROPOSALS_MAX)) != 0) {
	vstring_truncate(text, PROPOSALS_MAX);
	VSTRING_TERMINATE(text);
	if (strrchr(STR(text), '\n') != 0)
	    strrchr(STR(text), '\n')[1] = 0;
    }
    vstream_fprintf(stream, "<h2 id=\"proposals\">Proposals</h2>\n"
		    "<p class=\"note\">Entries for smtp_tls_policy_maps that follow "
		    "from the log.</p>\n<pre>");
    audit_html_text(stream, STR(text));
    if (cut)
	vstream_fprintf(stream, "# ... and more: posttls-audit -P\n");
    vstream_fprintf(stream, "</pre>\n");
    vstring_free(text);
}

/* audit_html_start - what comes before the tables */

void    audit_html_start(AUDIT_OUT *out, const AUDIT_FACTS *facts,
			         const AUDIT_READY *ready)
{
    VSTREAM *stream = out->stream;

    vstream_fprintf(stream, "%s", page_head);
    audit_plot_patterns(stream);
    show_heading(stream, facts);
    vstream_fprintf(stream, "<nav><a href=\"#verdicts\">Verdicts</a> "
		    "<a href=\"#proposals\">Proposals</a> "
		    "<a href=\"#plots\">Plots</a> "
		    "<a href=\"#tables\">Tables</a></nav>\n<main>\n");
    show_notes(stream, facts);
    show_summary(stream, facts, ready);
    show_proposals(stream, ready);
    vstream_fprintf(stream, "<h2 id=\"plots\">Plots</h2>\n<div class=\"plots\">\n");
    audit_plots(stream, facts);
    vstream_fprintf(stream, "</div>\n<h2 id=\"tables\">Tables</h2>\n");
}

/* audit_html_end - complete the page */

void    audit_html_end(AUDIT_OUT *out)
{
    vstream_fprintf(out->stream, "</main>\n<footer><p class=\"dim\">Made by "
		    "posttls-audit(1) for Postfix.</p></footer>\n</body>\n</html>\n");
}
