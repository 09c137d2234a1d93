//! Every place that a site remembers, so that an edit can move those behind it.

use super::{Alerts, At, Claim, Does, Engine, Host, Menu, Network, Nfs, Profile, RootOf, Rule, Schedule, Site, SshLine, Start, Subject, TextFile, Track, VmOf};
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
        for command in &mut self.commands {
            change(&mut command.span);
            change(&mut command.name.span);
            command.from.iter_mut().for_each(|at| change(&mut at.span));
        }
        for secret in &mut self.secrets {
            change(&mut secret.span);
            change(&mut secret.file.span);
        }
        if let Some(audit) = &mut self.audit {
            change(&mut audit.span);
            for sink in &mut audit.sinks {
                change(&mut sink.span);
                change(&mut sink.url.span);
                sink.user.iter_mut().chain(&mut sink.password).for_each(|at| change(&mut at.span));
            }
        }
        for check in &mut self.checks {
            change(&mut check.span);
            change(&mut check.ask.span);
            check.on.iter_mut().for_each(|at| change(&mut at.span));
        }
        self.tracks.iter_mut().for_each(|track| of_track(track, change));
        self.alerts.iter_mut().for_each(|alerts| of_alerts(alerts, change));
        if let Some(page) = &mut self.page {
            change(&mut page.span);
            change(&mut page.port.span);
            page.from.iter_mut().for_each(|at| change(&mut at.span));
        }
        self.trends.iter_mut().for_each(|trends| change(&mut trends.span));
        self.power.spans().for_each(&mut *change);
        for snapshot in &mut self.snapshots {
            change(&mut snapshot.span);
            change(&mut snapshot.file.span);
        }
        self.schedules.iter_mut().for_each(|schedule| of_schedule(schedule, change));
        if let Some(holidays) = &mut self.holidays {
            change(&mut holidays.span);
            holidays.days.iter_mut().for_each(|day| change(&mut day.span));
            holidays.until.iter_mut().for_each(|until| change(&mut until.span));
        }
        self.logins.iter_mut().for_each(|line| of_login(line, change));
        self.engines.iter_mut().for_each(|engine| of_engine(engine, change));
        self.claims.iter_mut().for_each(|claim| of_claim(claim, change));
        self.nfs.iter_mut().for_each(|nfs| of_nfs(nfs, change));
        self.rules.iter_mut().for_each(|rule| of_rule(rule, change));
        self.references.iter_mut().for_each(|reference| change(&mut reference.span));
        self.contexts.iter_mut().flat_map(|context| context.spans()).for_each(change);
    }
}

fn of_login(line: &mut SshLine, change: &mut impl FnMut(&mut Span)) {
    change(&mut line.span);
    line.on.iter_mut().for_each(|at| change(&mut at.span));
    line.user.iter_mut().for_each(|at| change(&mut at.span));
    line.port.iter_mut().for_each(|at| change(&mut at.span));
}

fn of_track(track: &mut Track, change: &mut impl FnMut(&mut Span)) {
    change(&mut track.span);
    change(&mut track.folder.span);
    track.on.iter_mut().for_each(|at| change(&mut at.span));
    track.except.iter_mut().for_each(|at| change(&mut at.span));
}

fn of_alerts(alerts: &mut Alerts, change: &mut impl FnMut(&mut Span)) {
    change(&mut alerts.span);
    for mail in &mut alerts.mails {
        change(&mut mail.span);
        change(&mut mail.to.span);
        change(&mut mail.through.span);
        mail.from.iter_mut().for_each(|at| change(&mut at.span));
        mail.user.iter_mut().chain(&mut mail.password).for_each(|at| change(&mut at.span));
    }
    for webhook in &mut alerts.webhooks {
        change(&mut webhook.span);
        change(&mut webhook.url.span);
        webhook.token.iter_mut().for_each(|at| change(&mut at.span));
    }
}

fn of_host(host: &mut Host, change: &mut impl FnMut(&mut Span)) {
    change(&mut host.span);
    host.macs.iter_mut().for_each(|mac| change(&mut mac.span));
    host.address.iter_mut().for_each(|at| change(&mut at.span));
    host.profile.iter_mut().for_each(|profile| change(&mut profile.span));
    host.note.iter_mut().for_each(|note| change(&mut note.span));
    if let Some(vm) = &mut host.vm {
        match &mut vm.of {
            VmOf::Snapshot { name, .. } | VmOf::Base(name) => change(&mut name.span),
        }
    }
    host.power.iter_mut().flat_map(|power| power.spans()).for_each(change);
}

fn of_network(network: &mut Network, change: &mut impl FnMut(&mut Span)) {
    change(&mut network.span);
    change(&mut network.subnet_span);
    network.gateway.iter_mut().chain(&mut network.server).chain(&mut network.dns).for_each(|at| change(&mut at.span));
    network.profile.iter_mut().for_each(|profile| change(&mut profile.span));
    network.power.spans().for_each(&mut *change);
    for pool in &mut network.pools {
        change(&mut pool.span);
        pool.profile.iter_mut().for_each(|profile| change(&mut profile.span));
    }
}

fn of_profile(profile: &mut Profile, change: &mut impl FnMut(&mut Span)) {
    change(&mut profile.span);
    change(&mut profile.label.span);
    profile.starts.iter_mut().chain(&mut profile.origins).for_each(&mut *change);
    profile.texts.iter_mut().for_each(|text| of_text_file(text, change));
    profile.power.spans().for_each(&mut *change);
    profile.fetched.iter_mut().for_each(|path| change(&mut path.span));
    if let Some(root) = &mut profile.root {
        change(&mut root.span);
        match &mut root.of {
            RootOf::Overlay(name) | RootOf::Base { name, .. } => change(&mut name.span),
        }
    }
    let mut of_text = |at: &mut At<String>| change(&mut at.span);
    match &mut profile.start {
        Some(Start::Linux { kernel, initrds, cmdline }) => std::iter::once(kernel).chain(initrds).chain(cmdline).for_each(of_text),
        Some(Start::Chain(path)) => of_text(path),
        Some(Start::Local) | None => {}
    }
}

fn of_schedule(schedule: &mut Schedule, change: &mut impl FnMut(&mut Span)) {
    change(&mut schedule.span);
    schedule.timezone.iter_mut().for_each(|zone| change(&mut zone.span));
    for window in &mut schedule.windows {
        change(&mut window.span);
        change(&mut window.on.span);
        change(&mut window.off.span);
    }
    if let Some(off) = &mut schedule.holidays {
        change(&mut off.span);
        off.days.iter_mut().for_each(|day| change(&mut day.span));
    }
}

fn of_text_file(text: &mut TextFile, change: &mut impl FnMut(&mut Span)) {
    change(&mut text.span);
    change(&mut text.name.span);
    change(&mut text.from.span);
}

fn of_nfs(nfs: &mut Nfs, change: &mut impl FnMut(&mut Span)) {
    change(&mut nfs.span);
    nfs.folder.iter_mut().for_each(|at| change(&mut at.span));
    nfs.bases.iter_mut().for_each(|base| change(&mut base.span));
    for overlay in &mut nfs.overlays {
        change(&mut overlay.span);
        overlay.origins.iter_mut().for_each(&mut *change);
        overlay.over.iter_mut().chain(&mut overlay.upper).for_each(|at| change(&mut at.span));
        overlay.files.iter_mut().for_each(|file| of_text_file(&mut file.text, change));
    }
}

fn of_engine(engine: &mut Engine, change: &mut impl FnMut(&mut Span)) {
    change(&mut engine.span);
    engine.tftp.iter_mut().for_each(|at| change(&mut at.span));
}

fn of_claim(claim: &mut Claim, change: &mut impl FnMut(&mut Span)) {
    change(&mut claim.span);
    if let Subject::Group(name, _) | Subject::Tag(name, _) = &mut claim.subject {
        change(&mut name.span);
    }
}

fn of_rule(rule: &mut Rule, change: &mut impl FnMut(&mut Span)) {
    rule.origins.iter_mut().for_each(&mut *change);
    change(&mut rule.name.span);
    rule.on.iter_mut().for_each(|at| change(&mut at.span));
    rule.after.iter_mut().for_each(|at| change(&mut at.span));
    for statement in &mut rule.statements {
        change(&mut statement.span);
        if let Does::File { text, .. } = &mut statement.does {
            of_text_file(text, change);
        }
    }
}

fn of_menu(menu: &mut Menu, change: &mut impl FnMut(&mut Span)) {
    menu.origins.iter_mut().for_each(&mut *change);
    menu.default.iter_mut().chain(&mut menu.entries).for_each(|at| change(&mut at.span));
}
