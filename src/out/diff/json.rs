//! A diff for programs: its own data, whose keys are stable.

use serde_json::Value;

use super::Diff;

pub(super) fn json(diff: &Diff) -> Value {
    serde_json::to_value(diff).unwrap_or_default()
}
