/*++
/* NAME
/*	audit_time 3
/* SUMMARY
/*	time stamps in mail logs
/* SYNOPSIS
/*	#include "audit_time.h"
/*
/*	void	audit_clock_init(clock, limit)
/*	AUDIT_CLOCK *clock;
/*	time_t	limit;
/*
/*	size_t	audit_time_length(line, len)
/*	const char *line;
/*	size_t	len;
/*
/*	int	audit_time_parse(clock, stamp, len, result)
/*	AUDIT_CLOCK *clock;
/*	const char *stamp;
/*	size_t	len;
/*	time_t	*result;
/*
/*	int	audit_time_option(text, now, result)
/*	const char *text;
/*	time_t	now;
/*	time_t	*result;
/*
/*	const char *audit_time_local(buf, when)
/*	VSTRING	*buf;
/*	time_t	when;
/*
/*	const char *audit_time_utc(buf, when)
/*	VSTRING	*buf;
/*	time_t	when;
/* DESCRIPTION
/*	This module reads the time stamps of traditional syslog and
/*	of Postfix's own log file ("Nov  1 18:31:00", local time, with
/*	or without a fraction of a second), those of RFC 3339 and
/*	journalctl(1) short-iso ("2026-11-01T18:31:00.5+01:00",
/*	"2026-11-01T18:31:00+0100", "2026-11-01T17:31:00Z"), of
/*	journalctl short-full ("Sun 2026-11-01 18:31:00 CET"; a name
/*	other than UTC stands for the local time zone) and short-unix
/*	("1793554260.123456"), and the microseconds of journalctl json
/*	("1793554260123456").
/*
/*	A traditional time stamp has no year. It is the latest such date
/*	that is no more than one day after the clock's limit, the time
/*	that the log was last written to. This does not depend on other
/*	lines, so that it makes no difference where a log begins.
/*
/*	audit_clock_init() prepares for reading one log.
/*
/*	audit_time_length() recognizes a time stamp by its punctuation
/*	only, which is enough to skip a line that will not be used.
/*	The result is zero when the line does not begin with a time
/*	stamp that is followed by a space.
/*
/*	audit_time_parse() converts a time stamp, and takes note of a
/*	clock that ran backwards by more than a few seconds. The
/*	result is non-zero in case of success.
/*
/*	audit_time_option() reads a time as people type it: a date with
/*	or without the time of day (local time, unless there is a time
/*	zone), "today", "yesterday", or a number with a Postfix time
/*	unit (s, m, h, d, w), meaning so long ago. The result is
/*	non-zero in case of success.
/*
/*	audit_time_local() and audit_time_utc() format a time for
/*	people and for programs.
/* LICENSE
/* .ad
/* .fi
/*	The Secure Mailer license must be distributed with this software.
/* AUTHOR(S)
/*	The postfix-tls-fallback project
/*--*/

/* System library. */

#include <sys_defs.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Utility library. */

#include <stringops.h>
#include <vstring.h>

/* Application-specific. */

#include "audit_time.h"

#define STR	vstring_str

#define SYSLOG_STAMP_LEN	15	/* Nov 21 18:31:00 */
#define SYSLOG_HOUR_LEN		9	/* Nov 21 18 */
#define ISO_STAMP_LEN		19	/* 2026-11-21T18:31:00 */
#define ISO_HOUR_LEN		13	/* 2026-11-21T18 */
#define FULL_STAMP_LEN		24	/* Sat 2026-11-21 18:31:00 and space */
#define FULL_DATE		4	/* the date starts here */
#define UNIX_STAMP_LEN		10	/* 1795285860 */
#define USEC_STAMP_LEN		16	/* 1795285860123456 */
#define STAMP_TAIL_MAX		21	/* fraction, time zone */

 /*
  * Time stamps are recognized by their punctuation.
  */
#define IS_SYSLOG(cp, len) \
	((len) >= SYSLOG_STAMP_LEN && (cp)[3] == ' ' && (cp)[6] == ' ' \
	    && (cp)[9] == ':' && (cp)[12] == ':')
#define IS_ISO(cp, len) \
	((len) >= ISO_STAMP_LEN && (cp)[4] == '-' && (cp)[7] == '-' \
	    && (cp)[10] == 'T' && (cp)[13] == ':' && (cp)[16] == ':')
#define IS_FULL(cp, len) \
	((len) > FULL_STAMP_LEN && (cp)[3] == ' ' && (cp)[8] == '-' \
	    && (cp)[11] == '-' && (cp)[14] == ' ' && (cp)[17] == ':' \
	    && (cp)[20] == ':' && (cp)[23] == ' ')
#define IS_UNIX(cp, len) \
	((len) > UNIX_STAMP_LEN && (cp)[UNIX_STAMP_LEN] == '.' \
	    && all_digits((cp), UNIX_STAMP_LEN))
#define IS_USEC(cp, len) \
	((len) == USEC_STAMP_LEN && all_digits((cp), USEC_STAMP_LEN))

#define DAY			86400L

static const char *const audit_months[] = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun",
    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
};

/* local_time - date and time of day */

static struct tm *local_time(time_t when, struct tm * tm)
{
    static int is_set;

    /*
     * Many implementations of localtime() look for a change of /etc/localtime
     * each time.
     */
    if (is_set == 0) {
	tzset();
	is_set = 1;
    }
    return (localtime_r(&when, tm));
}

/* audit_clock_init - start a log */

void    audit_clock_init(AUDIT_CLOCK *clock, time_t limit)
{
    memset((void *) clock, 0, sizeof(*clock));
    clock->limit = limit;
}

/* all_digits - nothing but digits */

static int all_digits(const char *cp, size_t len)
{
    const char *end = cp + len;

    while (cp < end && ISDIGIT(*cp))
	cp++;
    return (cp == end);
}

/* audit_time_length - recognize a time stamp */

size_t  audit_time_length(const char *line, size_t len)
{
    const char *end;
    size_t  fixed;
    size_t  left;

    if (IS_SYSLOG(line, len))
	fixed = SYSLOG_STAMP_LEN;
    else if (IS_ISO(line, len))
	fixed = ISO_STAMP_LEN;
    else if (IS_FULL(line, len))
	fixed = FULL_STAMP_LEN;
    else if (IS_UNIX(line, len))
	fixed = UNIX_STAMP_LEN;
    else
	return (0);
    left = len - fixed;
    if (left > 0 && line[fixed] == ' ')
	return (fixed);
    if (fixed == SYSLOG_STAMP_LEN && (left == 0 || line[fixed] != '.'))
	return (0);
    if (left > STAMP_TAIL_MAX)
	left = STAMP_TAIL_MAX;
    end = memchr(line + fixed, ' ', left);
    return (end ? end - line : 0);
}

/* two_digits - parse number, first digit may be a space */

static int two_digits(const char *cp)
{
    if (!ISDIGIT(cp[1]) || (!ISDIGIT(cp[0]) && cp[0] != ' '))
	return (-1);
    return ((cp[0] == ' ' ? 0 : (cp[0] - '0') * 10) + (cp[1] - '0'));
}

/* day_number - days since 1970, proleptic Gregorian calendar */

static long day_number(int year, int month, int day)
{
    long    cycle;
    int     year_of_cycle;
    int     day_of_year;

    /*
     * Count years from March, so that a leap day is the last day of a year.
     */
    year -= (month <= 2);
    cycle = (year >= 0 ? year : year - 399) / 400;
    year_of_cycle = year - cycle * 400;
    day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (cycle * 146097L + year_of_cycle * 365L + year_of_cycle / 4
	    - year_of_cycle / 100 + day_of_year - 719468L);
}

/* local_hour - local date and hour to time, -1 if no such date */

static time_t local_hour(int year, int month, int day, int hour, int isdst)
{
    struct tm tm;
    time_t  when;

    memset((void *) &tm, 0, sizeof(tm));
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_isdst = isdst;
    when = mktime(&tm);
    return (tm.tm_mday == day ? when : (time_t) -1);
}

/* guess_year - time of a date without year, zero if none fits */

static time_t guess_year(AUDIT_CLOCK *clock, int month, int day, int hour)
{
    struct tm tm;
    int     this_year = (local_time(clock->limit, &tm) ?
			 tm.tm_year + 1900 : 1970);
    time_t  when;
    int     year;

    /*
     * The line before does not matter: a log may have been cut anywhere. Not
     * every year has a February 29.
     */
    for (year = this_year + 1; year > this_year - 8; year--)
	if ((when = local_hour(year, month, day, hour, -1)) != (time_t) -1
	    && when <= clock->limit + DAY)
	    return (when);
    return (0);
}

/* month_number - month name to number */

static int month_number(const char *name)
{
    int     n;

    for (n = 0; n < 12; n++)
	if (memcmp(audit_months[n], name, 3) == 0)
	    return (n + 1);
    return (0);
}

/* parse_zone - time zone to seconds east of Greenwich */

static int parse_zone(const char *cp, const char *end, long *offset)
{
    int     hours;
    int     minutes = 0;
    int     sign;

    *offset = 0;
    if (end - cp == 1 && (*cp == 'Z' || *cp == 'z'))
	return (1);
    if (end - cp < 3 || (*cp != '+' && *cp != '-'))
	return (0);
    sign = (*cp == '-' ? -1 : 1);
    if ((hours = two_digits(cp + 1)) < 0)
	return (0);
    cp += 3;
    if (cp < end && *cp == ':')
	cp++;
    if (cp < end && (end - cp != 2 || (minutes = two_digits(cp)) < 0))
	return (0);
    *offset = sign * (hours * 3600L + minutes * 60L);
    return (1);
}

/* syslog_hour - date and hour of a traditional time stamp */

static int syslog_hour(AUDIT_CLOCK *clock, const char *stamp, time_t *result)
{
    int     month = month_number(stamp);
    int     day = two_digits(stamp + 4);
    int     hour = two_digits(stamp + 7);

    if (month == 0 || day < 1 || day > 31 || hour < 0 || hour > 23)
	return (0);
    *result = guess_year(clock, month, day, hour);
    return (*result != 0);
}

/* iso_date - YYYY-MM-DD and hour */

static int iso_date(const char *stamp, int *year, int *month, int *day,
		            int *hour)
{
    int     century = two_digits(stamp);
    int     rest = two_digits(stamp + 2);

    *year = century * 100 + rest;
    *month = two_digits(stamp + 5);
    *day = two_digits(stamp + 8);
    *hour = two_digits(stamp + 11);
    return (century >= 19 && rest >= 0 && *month >= 1 && *month <= 12
	    && *day >= 1 && *day <= 31 && *hour >= 0 && *hour <= 23);
}

/* iso_hour - date and hour of an RFC 3339 time stamp, without time zone */

static int iso_hour(const char *stamp, time_t *result)
{
    int     year, month, day, hour;

    if (iso_date(stamp, &year, &month, &day, &hour) == 0)
	return (0);
    *result = (time_t) day_number(year, month, day) * DAY + hour * 3600L;
    return (1);
}

/* minutes_seconds - :MM:SS in seconds, -1 if they are not */

static long minutes_seconds(const char *cp)
{
    int     minute = two_digits(cp + 1);
    int     second = two_digits(cp + 4);

    return (minute < 0 || minute > 59 || second < 0 || second > 60 ?
	    -1 : minute * 60L + second);
}

/* parse_hourly - syslog or RFC 3339, mostly from the cache */

static int parse_hourly(AUDIT_CLOCK *clock, const char *stamp, size_t len,
			        time_t *result)
{
    int     is_iso = IS_ISO(stamp, len);
    size_t  hour_len = (is_iso ? ISO_HOUR_LEN : SYSLOG_HOUR_LEN);
    const char *cp = stamp + hour_len;
    long    seconds;
    long    offset = 0;
    time_t  when = 0;

    if (clock->cached_len != hour_len
	|| memcmp(clock->cached_hour, stamp, hour_len) != 0) {
	clock->cached_len = 0;
	if (is_iso ? iso_hour(stamp, &when) == 0
	    : syslog_hour(clock, stamp, &when) == 0)
	    return (0);
	memcpy(clock->cached_hour, stamp, hour_len);
	clock->cached_len = hour_len;
	clock->cached_time = when;
    }
    if ((seconds = minutes_seconds(cp)) < 0)
	return (0);
    if (is_iso) {
	cp += 6;
	if (cp < stamp + len && (*cp == '.' || *cp == ','))
	    for (cp++; cp < stamp + len && ISDIGIT(*cp); cp++)
		 /* void */ ;
	if (parse_zone(cp, stamp + len, &offset) == 0)
	    return (0);
    }
    *result = clock->cached_time + seconds - offset;
    return (1);
}

/* parse_full - weekday, date, time, time zone */

static int parse_full(const char *stamp, size_t len, time_t *result)
{
    const char *zone = stamp + FULL_STAMP_LEN;
    size_t  zone_len = len - FULL_STAMP_LEN;
    int     year, month, day, hour;
    long    seconds;
    long    offset;
    int     isdst;
    time_t  when;

#define ZONE_IS(name) \
	(strlen(name) == zone_len && memcmp((name), zone, zone_len) == 0)

    if (iso_date(stamp + FULL_DATE, &year, &month, &day, &hour) == 0
	|| (seconds = minutes_seconds(stamp + FULL_DATE + ISO_HOUR_LEN)) < 0)
	return (0);
    if (ZONE_IS("UTC") || ZONE_IS("GMT")) {
	when = (time_t) day_number(year, month, day) * DAY + hour * 3600L;
    } else if (parse_zone(zone, zone + zone_len, &offset)) {
	when = (time_t) day_number(year, month, day) * DAY + hour * 3600L - offset;
    } else {
	tzset();
	isdst = (strcmp(tzname[0], tzname[1]) == 0 ? -1 :
		 ZONE_IS(tzname[0]) ? 0 : ZONE_IS(tzname[1]) ? 1 : -1);
	if ((when = local_hour(year, month, day, hour, isdst)) == (time_t) -1)
	    return (0);
    }
    *result = when + seconds;
    return (1);
}

/* parse_unix - seconds since 1970 */

static int parse_unix(const char *stamp, time_t *result)
{
    int     n;

    for (*result = 0, n = 0; n < UNIX_STAMP_LEN; n++)
	*result = *result * 10 + (stamp[n] - '0');
    return (1);
}

/* audit_time_parse - parse time stamp */

int     audit_time_parse(AUDIT_CLOCK *clock, const char *stamp, size_t len,
			         time_t *result)
{
    time_t  when = 0;

    /*
     * A busy server logs many lines in a second.
     */
    if (len == clock->last_len && memcmp(stamp, clock->last_stamp, len) == 0) {
	*result = clock->last;
	return (1);
    }
    if (IS_SYSLOG(stamp, len) || IS_ISO(stamp, len) ?
	parse_hourly(clock, stamp, len, &when) == 0 :
	IS_FULL(stamp, len) ? parse_full(stamp, len, &when) == 0 :
	IS_UNIX(stamp, len) || IS_USEC(stamp, len) ?
	parse_unix(stamp, &when) == 0 : 1)
	return (0);
    if (clock->last - when > AUDIT_CLOCK_JITTER) {
	clock->backwards += 1;
	if (clock->last - when > clock->worst)
	    clock->worst = clock->last - when;
    }
    clock->last = when;
    clock->last_len = 0;
    if (len <= sizeof(clock->last_stamp)) {
	memcpy(clock->last_stamp, stamp, len);
	clock->last_len = len;
    }
    *result = when;
    return (1);
}

/* midnight - start of a day */

static time_t midnight(time_t now, int days_ago)
{
    struct tm tm;

    if (local_time(now, &tm) == 0)
	return (0);
    tm.tm_mday -= days_ago;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (mktime(&tm));
}

/* ago_option - number with time unit */

static int ago_option(const char *text, time_t now, time_t *result)
{
    static const char units[] = "smhdw";
    static const long seconds[] = {1, 60, 3600, 86400, 604800};
    const char *unit;
    long    count;
    char    letter;
    int     used = 0;

    if (!ISDIGIT(*text)
	|| sscanf(text, "%9ld%c%n", &count, &letter, &used) != 2
	|| text[used] != 0 || (unit = strchr(units, letter)) == 0)
	return (0);
    *result = now - count * seconds[unit - units];
    return (1);
}

/* audit_time_option - time as typed by a person */

int     audit_time_option(const char *text, time_t now, time_t *result)
{
    int     year, month, day, hour = 0, minute = 0, second = 0;
    int     used = 0;
    int     more = 0;
    long    offset;
    time_t  when;

    if (strcmp(text, "today") == 0)
	return (*result = midnight(now, 0), 1);
    if (strcmp(text, "yesterday") == 0)
	return (*result = midnight(now, 1), 1);
    if (ago_option(text, now, result))
	return (1);

    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3
	|| year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
	return (0);
    text += used;
    if (*text == 'T' || *text == ' ') {
	if (sscanf(text + 1, "%2d:%2d%n", &hour, &minute, &used) != 2
	    || hour < 0 || hour > 23 || minute < 0 || minute > 59)
	    return (0);
	text += 1 + used;
	if (sscanf(text, ":%2d%n", &second, &more) == 1) {
	    if (second < 0 || second > 60)
		return (0);
	    text += more;
	}
    }
    if (*text == 0) {
	if ((when = local_hour(year, month, day, hour, -1)) == (time_t) -1)
	    return (0);
    } else {
	if (parse_zone(text, text + strlen(text), &offset) == 0)
	    return (0);
	when = (time_t) day_number(year, month, day) * DAY
	    + hour * 3600L - offset;
    }
    *result = when + minute * 60L + second;
    return (1);
}

/* format_time - strftime() into a buffer */

static const char *format_time(VSTRING *buf, const char *format,
			               struct tm * tm)
{
    char    text[64];

    if (tm == 0 || strftime(text, sizeof(text), format, tm) == 0)
	text[0] = 0;
    return (STR(vstring_strcpy(buf, text)));
}

/* audit_time_local - for people */

const char *audit_time_local(VSTRING *buf, time_t when)
{
    struct tm tm;

    return (format_time(buf, "%Y-%m-%d %H:%M:%S", local_time(when, &tm)));
}

/* audit_time_utc - for programs */

const char *audit_time_utc(VSTRING *buf, time_t when)
{
    return (format_time(buf, "%Y-%m-%dT%H:%M:%SZ", gmtime(&when)));
}
