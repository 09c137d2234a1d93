//! # Name
//! `page`: where the page for browsers is, and who may look at it.
//!
//! # Description
//! `page/page.jsonl` has one row: the port, the ranges of addresses whose browsers may look, the site's name and
//! domain, and the zone of its clock. A site without `page` has no such file, and its boot server shows no page.
//!
//! # Syntax
//! Reads `page` (`port`, `from`), the site's name, `domain=` and `timezone=`, and the addresses of whoever is named.
//!
//! # Example
//! ```kdl
//! site lab
//! network lan "10.77.0.0/24" { host boot 2 "52:54:00:77:00:02" }
//! page port=8080 from="lan"
//! ```

use crate::check::Checked;
use crate::diag::Diags;
use crate::model::Origins;
use crate::out::table::{PAGE, PageRow, Range, json};
use crate::out::{Lines, Wing};

pub(super) fn emit(checked: &Checked, wing: &mut Wing<'_>, _: &mut Diags) {
    let site = checked.site();
    let Some(page) = &site.page else { return };
    let row = PageRow {
        port: page.port.value,
        from: page.ranges(site).into_iter().map(|range| Range::new(range.base(), range.bits())).collect(),
        title: site.name.clone(),
        domain: site.domain.to_string(),
        timezone: site.timezone.as_ref().map(|zone| zone.value.clone()),
    };
    let said = page.from.iter().map(|at| at.span).chain(site.timezone.as_ref().map(|zone| zone.span));
    let origins: Origins = [page.span, page.port.span, site.span].into_iter().chain(said).collect();
    let mut lines = Lines::default();
    lines.line(&origins, json(&row));
    wing.write(PAGE.into(), lines);
}
