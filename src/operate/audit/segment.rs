//! Segments of the spool: files by the hour, whose names sort as they were begun.

use std::fs;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use super::line::LINE_BYTES_MAX;

/// One file of the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Since 1970.
    pub hour: i64,
    /// Within the hour: a file that is large enough is followed by another.
    pub number: u32,
}

/// A place in the spool; later records have later places, also as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub segment: Segment,
    pub offset: u64,
}

pub(super) const HOUR_SECS: i64 = 3600;
const SUFFIX: &str = ".jsonl";

impl Segment {
    /// `2026-11-25T07-0000.jsonl`
    pub(super) fn file(self) -> String {
        format!("{self}{SUFFIX}")
    }

    pub(super) fn parse(file: &str) -> Option<Segment> {
        // By hand: a year has 8,760 of them.
        let (date, rest) = file.strip_suffix(SUFFIX)?.split_once('T')?;
        let (hour, number) = rest.split_once('-')?;
        let mut parts = date.split('-');
        let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
        let date = Date::new(year, month, day).ok().filter(|_| parts.next().is_none())?;
        let moment = date.to_datetime(Time::new(digits(hour, 2)?, 0, 0, 0).ok()?);
        let second = Offset::UTC.to_timestamp(moment).ok()?.as_second();
        let is_ours = number.len() == 4 || number.len() > 4 && !number.starts_with('0');
        let number = digits(number, number.len()).filter(|_| is_ours)?;
        Some(Segment { hour: second.div_euclid(HOUR_SECS), number })
    }
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let moment = jiff::Timestamp::from_second(self.hour.saturating_mul(HOUR_SECS)).unwrap_or_default();
        let whole = moment.to_string();
        write!(f, "{}-{:04}", whole.split(':').next().unwrap_or_default(), self.number)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:010}", self.segment, self.offset)
    }
}

/// All of a spool, the oldest first.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        all.extend(entry?.file_name().to_str().and_then(Segment::parse));
    }
    all.sort_unstable();
    Ok(all)
}

fn digits<T: FromStr>(text: &str, count: usize) -> Option<T> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// All of a spool, read again only when there may be others.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// When the folder was changed last, where that tells whether it was changed since.
    seen: Option<SystemTime>,
    all: Vec<Segment>,
}

/// Two changes so close to each other may have the same time.
const CLOSE: Duration = Duration::from_secs(1);

impl Listing {
    pub(super) fn look(&mut self, folder: &Path) -> io::Result<&[Segment]> {
        let changed = fs::metadata(folder)?.modified()?;
        if self.seen != Some(changed) {
            let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age > CLOSE);
            self.all = list(folder)?;
            self.seen = Some(changed).filter(|_| settled);
        }
        Ok(&self.all)
    }
}

/// A piece of a segment: where it begins, where the next one does, and its bytes without the line's end.
pub(super) struct Piece<'a> {
    pub(super) offset: u64,
    pub(super) next: u64,
    pub(super) line: &'a [u8],
}

/// Calls `each` with every line that is complete, from `offset` on. Of a line longer than any of ours
/// the first bytes are given: enough to be known as damaged.
pub(super) fn each_line(path: &Path, offset: u64, mut each: impl FnMut(Piece<'_>) -> ControlFlow<()>) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut input = BufReader::with_capacity(256 << 10, file);
    let (mut begun, mut at, mut line) = (offset, offset, Vec::new());
    loop {
        let bytes = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if bytes.is_empty() {
            return Ok(());
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = LINE_BYTES_MAX.saturating_sub(line.len());
        line.extend_from_slice(part.get(..part.len().min(room)).unwrap_or_default());
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        at += used as u64;
        if end.is_some() {
            let piece = Piece { offset: begun, next: at, line: &line };
            if each(piece).is_break() {
                return Ok(());
            }
            begun = at;
            line.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_time_goes() {
        let hour = 1_795_588_200 / HOUR_SECS;
        let first = Segment { hour, number: 0 };
        assert_eq!(first.file(), "2026-11-25T06-0000.jsonl");
        assert_eq!(Segment::parse("2026-11-25T06-0012.jsonl"), Some(Segment { hour, number: 12 }));
        for other in ["2026-11-25T06.jsonl", "2026-11-25T06-12.jsonl", "cursor.json", "2026-11-25T25-0000.jsonl", "2026-02-29T06-0000.jsonl", "2026-11-25T06-00012.jsonl", "2026-11-25T06-+012.jsonl"] {
            assert_eq!(Segment::parse(other), None, "{other}");
        }
        for (hour, number) in [(0, 0), (hour, 12_345), (2_000_000, 9999)] {
            let segment = Segment { hour, number };
            assert_eq!(Segment::parse(&segment.file()), Some(segment));
        }
        assert!(first.file() < Segment { hour, number: 1 }.file() && first < Segment { hour: hour + 1, number: 0 });
    }

    #[test]
    fn a_listing_is_read_again_when_the_folder_changed() {
        let folder = std::env::temp_dir().join(format!("pxelator-listing-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (mut listing, [first, second]) = (Listing::default(), [1, 2].map(|hour| Segment { hour, number: 0 }));
        fs::write(folder.join(first.file()), "").unwrap();
        assert_eq!(listing.look(&folder).unwrap(), [first]);
        fs::write(folder.join(second.file()), "").unwrap();
        assert_eq!(listing.look(&folder).unwrap(), [first, second], "also within a tick");
        let long_ago = SystemTime::now() - Duration::from_secs(60);
        let changed = |time| fs::File::open(&folder).unwrap().set_modified(time).unwrap();
        changed(long_ago);
        assert_eq!((listing.look(&folder).unwrap().len(), listing.seen), (2, Some(long_ago)));
        fs::remove_file(folder.join(second.file())).unwrap();
        changed(long_ago);
        assert_eq!(listing.look(&folder).unwrap().len(), 2, "nobody looks while it did not change");
        changed(SystemTime::now());
        assert_eq!(listing.look(&folder).unwrap(), [first]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
