//! The page that browsers see, and who may look.

use super::{At, Caller, Site, Subnet, command};
use crate::source::Span;

#[derive(Debug)]
pub struct Page {
    pub port: At<u16>,
    /// Nobody is everybody in the site's networks.
    pub from: Vec<At<Caller>>,
    pub span: Span,
}

impl Page {
    /// The ranges whose browsers may look, in order, each once.
    pub fn ranges(&self, site: &Site) -> Vec<Subnet> {
        command::ranges(&self.from, site)
    }
}
