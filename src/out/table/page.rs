//! The row of `page/`: where the page is, and who may look at it.

use serde::{Deserialize, Serialize};

use super::Range;

pub const PAGE: &str = "page/page.jsonl";

/// `page/page.jsonl`, one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRow {
    pub port: u16,
    /// Whose browsers may look, in order. The boot server's own always may.
    pub from: Vec<Range>,
    /// The site's name.
    pub title: String,
    /// A browser may call the boot server by a name in it.
    pub domain: String,
    /// Whose clock the page shows; that of UTC where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}
