//! `monitor/trends.jsonl`.

use crate::model::Site;
use crate::out::table::{TRENDS, TrendsRow, json};
use crate::out::{Lines, Wing};

pub(super) fn emit(site: &Site, wing: &mut Wing<'_>) {
    let Some(trends) = &site.trends else { return };
    let mut lines = Lines::default();
    lines.line(&[trends.span], json(&TrendsRow { keep_secs: trends.keep_secs }));
    wing.write(TRENDS.into(), lines);
}
