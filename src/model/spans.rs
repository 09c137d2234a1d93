//! Every place that a site remembers, so that an edit can move those behind it.

use super::{At, Host, Menu, Network, Profile, Site, Start, Subject};
use crate::source::{FileId, Span};

impl Site {
    /// Moves the places of a file that begin at or behind `from` by so many bytes.
    pub fn shift(&mut self, file: FileId, from: u32, by: i64) {
        self.each_span(&mut |span| {
            if span.file.real() == file && span.start >= from {
                *span = span.shifted(by);
            }
        });
    }

    fn each_span(&mut self, change: &mut impl FnMut(&mut Span)) {
        change(&mut self.span);
        self.assets.iter_mut().for_each(|at| change(&mut at.span));
        self.forwards.iter_mut().for_each(|at| change(&mut at.span));
        self.timezone.iter_mut().chain(&mut self.profile).for_each(|at| change(&mut at.span));
        self.hosts.iter_mut().for_each(|host| of_host(host, change));
        self.networks.iter_mut().for_each(|network| of_network(network, change));
        self.profiles.iter_mut().for_each(|profile| of_profile(profile, change));
        self.menu.iter_mut().for_each(|menu| of_menu(menu, change));
        for record in &mut self.records {
            change(&mut record.span);
            if let super::RecordData::Cname(to) = &mut record.data {
                change(&mut to.span);
            }
        }
        for secret in &mut self.secrets {
            change(&mut secret.span);
            change(&mut secret.file.span);
        }
        for engine in &mut self.engines {
            change(&mut engine.span);
            engine.tftp.iter_mut().for_each(|at| change(&mut at.span));
        }
        for claim in &mut self.claims {
            change(&mut claim.span);
            if let Subject::Group(name, _) | Subject::Tag(name, _) = &mut claim.subject {
                change(&mut name.span);
            }
        }
        self.references.iter_mut().for_each(|reference| change(&mut reference.span));
        self.contexts.iter_mut().flat_map(|context| context.spans()).for_each(change);
    }
}

fn of_host(host: &mut Host, change: &mut impl FnMut(&mut Span)) {
    change(&mut host.span);
    host.macs.iter_mut().for_each(|mac| change(&mut mac.span));
    host.address.iter_mut().for_each(|at| change(&mut at.span));
    host.profile.iter_mut().for_each(|profile| change(&mut profile.span));
}

fn of_network(network: &mut Network, change: &mut impl FnMut(&mut Span)) {
    change(&mut network.span);
    change(&mut network.subnet_span);
    network.gateway.iter_mut().chain(&mut network.server).chain(&mut network.dns).for_each(|at| change(&mut at.span));
    network.profile.iter_mut().for_each(|profile| change(&mut profile.span));
    for pool in &mut network.pools {
        change(&mut pool.span);
        pool.profile.iter_mut().for_each(|profile| change(&mut profile.span));
    }
}

fn of_profile(profile: &mut Profile, change: &mut impl FnMut(&mut Span)) {
    change(&mut profile.span);
    change(&mut profile.label.span);
    profile.starts.iter_mut().chain(&mut profile.origins).for_each(&mut *change);
    for text in &mut profile.texts {
        change(&mut text.span);
        change(&mut text.name.span);
        change(&mut text.from.span);
    }
    let mut of_text = |at: &mut At<String>| change(&mut at.span);
    match &mut profile.start {
        Some(Start::Linux { kernel, initrds, cmdline }) => std::iter::once(kernel).chain(initrds).chain(cmdline).for_each(of_text),
        Some(Start::Chain(path)) => of_text(path),
        Some(Start::Local) | None => {}
    }
}

fn of_menu(menu: &mut Menu, change: &mut impl FnMut(&mut Span)) {
    menu.origins.iter_mut().for_each(&mut *change);
    menu.default.iter_mut().chain(&mut menu.entries).for_each(|at| change(&mut at.span));
}
