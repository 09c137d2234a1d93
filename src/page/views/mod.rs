//! What each page shows: values for its template, gathered from tables, leases, the state folder and the spool.

mod audit;
mod generations;
mod host;
mod overview;
mod trends;

use hyper::body::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use super::route::Route;
use super::{Failure, Page};
use crate::answer::dhcp::Lease;
use crate::operate::monitor::seen::{self, Seen};
use crate::operate::overview::{Known, Recent, ServiceUse};
use crate::out::table::{PageRow, Tables};

/// A finished answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) body: Bytes,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(super) fn text(status: u16, text: &str) -> Answer {
        Answer { status, kind: "text/plain; charset=utf-8", body: Bytes::from(text.to_owned()), headers: Vec::new() }
    }

    fn html(status: u16, text: String) -> Answer {
        Answer { status, kind: "text/html; charset=utf-8", body: Bytes::from(text), headers: Vec::new() }
    }

    fn found(place: String) -> Answer {
        Answer { status: 303, kind: "text/plain; charset=utf-8", body: Bytes::new(), headers: vec![("location", place)] }
    }
}

/// One request: the page, its row, and the moment.
struct Ask<'p> {
    page: &'p Page,
    row: &'p PageRow,
    now: Timestamp,
}

/// Waits for the disk where it must: it is called in a thread for that.
pub(super) fn view(page: &Page, row: &PageRow, route: &Route) -> Result<Answer, Failure> {
    let ask = Ask { page, row, now: page.handle.clock.now() };
    match route {
        Route::Overview => overview::overview(&ask),
        Route::Alerts => overview::alerts(&ask),
        Route::Host(name) => host::host(&ask, name),
        Route::Find(query) => host::find(&ask, query),
        Route::Audit(query) => audit::audit(&ask, query),
        Route::Generations => generations::generations(&ask),
        Route::Generation(number) => generations::generation(&ask, *number),
        Route::Trends(query) => trends::trends(&ask, query),
        Route::Graph(series, query) => trends::graph(&ask, series, query),
        Route::Missing | Route::Style | Route::Script | Route::Icon | Route::Events | Route::Health => {
            ask.missing("There is no such page", "The links above lead to all that there is.")
        }
    }
}

impl Ask<'_> {
    fn html<T: Serialize>(&self, name: &str, here: &str, view: &T) -> Result<Answer, Failure> {
        Ok(Answer::html(200, self.page.templates.page(name, here, self.row, self.now, view)?))
    }

    fn missing(&self, title: &str, text: &str) -> Result<Answer, Failure> {
        #[derive(Serialize)]
        struct View<'v> {
            title: &'v str,
            text: &'v str,
        }
        Ok(Answer { status: 404, ..self.html("refused.html", "", &View { title, text })? })
    }

    fn state(&self) -> &std::path::Path {
        &self.page.handle.state
    }

    /// What is known of this moment.
    fn gathered(&self) -> Result<Gathered, Failure> {
        Ok(Gathered {
            tables: self.page.tables(),
            leases: self.page.handle.leases.rows(),
            seen: seen::read(self.state())?,
            recent: self.page.live.recent(),
            services: self.page.services(),
            now: self.now,
        })
    }
}

/// What an overview is made of, held together.
struct Gathered {
    tables: std::sync::Arc<Tables>,
    leases: Vec<Lease>,
    seen: Option<Seen>,
    recent: Recent,
    services: Vec<ServiceUse>,
    now: Timestamp,
}

impl Gathered {
    fn known(&self) -> Known<'_> {
        Known {
            tables: &self.tables,
            leases: Some(&self.leases),
            seen: self.seen.as_ref(),
            recent: &self.recent,
            services: &self.services,
            now: self.now,
        }
    }
}

/// Seconds of a record's time.
fn secs(micros: i64) -> i64 {
    micros.div_euclid(1_000_000)
}
