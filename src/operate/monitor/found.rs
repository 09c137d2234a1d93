//! What comes into [`super::judge`], and what comes out.

use super::seen::Alert;

/// What a question came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Good {
        millis: f64,
    },
    Bad {
        why: String,
    },
    /// Nothing can be said: we may not ask.
    Unable {
        why: String,
    },
}

/// What a schedule says of its hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    On,
    /// It was turned on a little while ago, and may still start.
    Starting,
    Off,
}

/// What somebody must be told.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Fired(Alert),
    /// With the reason.
    Resolved(Alert, String),
}
