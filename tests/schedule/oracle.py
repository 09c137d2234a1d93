# Reads rows of power/schedules.jsonl and tells the edges of ten years: NAME SECONDS on|off, one a line.
# Another way to the same end: the clock on the wall is looked at every 15 minutes, and whoever waits for
# a time starts when it first shows that time or a later one. No calendar is turned into moments.
import json, sys
from datetime import date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

FIRST, LAST = datetime(2015, 1, 1, tzinfo=timezone.utc), datetime(2025, 1, 1, tzinfo=timezone.utc)
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
STEP = timedelta(minutes=15)

def is_holiday(day, row):
    for text in row.get("holidays", []):
        first, last = (text.split("..") + [text])[:2] if ".." in text else (text, text)
        if len(first) == 10 and first <= day.isoformat() <= last:
            return True
        here = day.isoformat()[5:]
        if len(first) == 5 and (first <= here <= last if first <= last else here >= first or here <= last):
            return True
    return False

def wall(day, text, days_more):
    hours, minutes = map(int, text.split(":"))
    return datetime(day.year, day.month, day.day) + timedelta(days=days_more, hours=hours, minutes=minutes)

def waits(row):
    """What each window waits for, in the order of the wall: (time, +1 for on and -1 for off)."""
    day, all = date(2014, 12, 25), []
    while day < date(2025, 1, 7):
        for window in row["windows"]:
            if DAYS[day.weekday()] in window["days"] and not is_holiday(day, row):
                all.append((wall(day, window["on"], 0), 1))
                all.append((wall(day, window["off"], int(window.get("overnight", False))), -1))
        day += timedelta(days=1)
    return sorted(all)

for line in sys.stdin:
    row = json.loads(line)
    zone, all, at = ZoneInfo(row["timezone"]), waits(row), 0
    now, latest, running, was_on = FIRST - timedelta(days=5), datetime.min, 0, False
    while now <= LAST:
        latest = max(latest, now.astimezone(zone).replace(tzinfo=None))
        while at < len(all) and all[at][0] <= latest:
            running += all[at][1]
            at += 1
        if (running > 0) != was_on:
            was_on = running > 0
            if FIRST < now <= LAST:
                print(row["schedule"], int(now.timestamp()), "on" if was_on else "off")
        now += STEP
