//! How much a site may still grow: braces, lists and `repeat` make much of little.

use crate::diag::{Diag, Diags};
use crate::source::Span;

/// How many bytes all `{names}` of a site may become together.
const FILLED_BYTES_MAX: usize = 64 << 20;
/// How often all `repeat`s of a site may run together; nested ones multiply, also when they make nothing.
const RUNS_MAX: usize = 1_000_000;
/// How many nodes and arguments `repeat`, lists, modules and parents of profiles may make together.
const MADE_MAX: usize = 400_000;

/// One purse for the whole site. What is overdrawn is reported once, and nothing more is given.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: Option<usize>,
    runs: Option<usize>,
    made: Option<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { bytes: Some(FILLED_BYTES_MAX), runs: Some(RUNS_MAX), made: Some(MADE_MAX) }
    }
}

impl Budget {
    /// Bytes of text made from braces.
    pub(super) fn text(&mut self, bytes: usize, span: Span, diags: &mut Diags) -> bool {
        take(&mut self.bytes, bytes, diags, || {
            let message = format!("`{{names}}` become more than {} MiB of text", FILLED_BYTES_MAX >> 20);
            Diag::new("eval/limit", span, message).help("a `let` that repeats another grows fast")
        })
    }

    /// Runs of a `repeat` that stands in others which run `around` times together.
    pub(super) fn runs(&mut self, count: u128, around: u128, span: Span, diags: &mut Diags) -> bool {
        let total = count.saturating_mul(around);
        let fits = usize::try_from(total).is_ok_and(|total| total <= RUNS_MAX);
        let spent = if fits { usize::try_from(count).unwrap_or(usize::MAX) } else { usize::MAX };
        take(&mut self.runs, spent, diags, || {
            let message = match fits {
                true => format!("`repeat` runs more than {} times in this site", grouped(RUNS_MAX as u128)),
                false => format!("`repeat` runs {} times; at most {}", grouped(total), grouped(RUNS_MAX as u128)),
            };
            Diag::new("eval/limit", span, message).help("nested ones multiply: let one of them run less often")
        })
    }

    /// Nodes or arguments that nobody wrote: of `repeat`, lists, modules, and parents of profiles.
    pub(super) fn made(&mut self, count: usize, span: Span, diags: &mut Diags) -> bool {
        take(&mut self.made, count, diags, || {
            let message = format!("`repeat`, lists, modules and `extends` make more than {} lines and values", grouped(MADE_MAX as u128));
            Diag::new("eval/limit", span, message).help("write the lines into a file and import it")
        })
    }
}

/// Takes from a purse. The first time that it does not suffice is a finding; from then on there is none.
fn take(purse: &mut Option<usize>, amount: usize, diags: &mut Diags, finding: impl FnOnce() -> Diag) -> bool {
    let Some(full) = *purse else { return false };
    *purse = full.checked_sub(amount);
    if purse.is_none() {
        diags.push(finding());
        diags.lose_unknown();
    }
    purse.is_some()
}

/// 1000000 → 1,000,000.
fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let (first, rest) = digits.split_at(head);
    let groups = rest.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let parts: Vec<String> = Some(first.to_owned()).filter(|part| !part.is_empty()).into_iter().chain(groups.map(String::from)).collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(2_000_000), "2,000,000");
        assert_eq!(grouped(12), "12");
        assert_eq!(grouped(123_456), "123,456");
    }
}
