//! The way to the boot server: this machine, or another one by ssh. Both answer the same requests.

use std::path::{Path, PathBuf};

use super::far::{Desire, Executed, Far, Order, Planned, Reply, Request, Row, Tree};
use super::ssh::{Session, Ssh};
use super::{Error, Result};

/// Where the store is: `FOLDER`, or `[USER@]HOST:FOLDER`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Here(PathBuf),
    There { host: String, folder: String },
}

impl Target {
    /// As scp and rsync read it: a colon before the first slash ends a host. `./a:b` is a folder.
    pub fn parse(text: &str) -> std::result::Result<Target, String> {
        let Some((host, folder)) = text.split_once(':').filter(|(host, _)| !host.contains('/')) else {
            return if text.is_empty() { Err("an empty TARGET".into()) } else { Ok(Target::Here(text.into())) };
        };
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err(format!("`{host}` is no host: write [USER@]HOST:FOLDER, and ./{text} for a folder with a colon"));
        }
        if !folder.starts_with('/') {
            return Err(format!(
                "`{folder}` on {host} does not begin with /: write the whole path, such as {host}:/srv/pxelator"
            ));
        }
        Ok(Target::There { host: host.into(), folder: folder.into() })
    }
}

/// An open way.
pub enum Link {
    #[doc(hidden)]
    Here(Box<HereLink>),
    #[doc(hidden)]
    There(Box<Session>),
}

/// The generations of a store on this machine.
pub fn list(store: &Path) -> Result<Vec<Row>> {
    Link::Here(Box::new(HereLink(Far::new(store, None)))).list()
}

/// A store on this machine.
pub struct HereLink(Far);

impl Link {
    pub fn open(target: &Target, state: Option<&Path>, ssh: &Ssh) -> Result<Link> {
        match target {
            Target::Here(store) => Ok(Link::Here(Box::new(HereLink(Far::new(store, state))))),
            Target::There { host, folder } => Ok(Link::There(Box::new(Session::open(ssh, host, folder, state)?))),
        }
    }

    /// A plan, and the trees between which it leads. Without a tree it is for a rollback.
    pub fn plan(&mut self, desire: Desire, tree: Option<Tree>) -> Result<Planned> {
        let Reply::Planned(planned) = self.ask(Request::Plan { desire, tree }, &mut |_| ())? else { return Err(Error::Odd) };
        Ok(*planned)
    }

    /// Carries a plan out, telling each step. Without a tree it is the one that the plan was made for.
    pub fn execute(&mut self, order: Order, news: &mut dyn FnMut(String)) -> Result<Executed> {
        let Reply::Executed(executed) = self.ask(Request::Execute(Box::new(order)), news)? else { return Err(Error::Odd) };
        Ok(executed)
    }

    pub fn list(&mut self) -> Result<Vec<Row>> {
        let Reply::Listed { rows } = self.ask(Request::List, &mut |_| ())? else { return Err(Error::Odd) };
        Ok(rows)
    }

    /// Asks, telling the news until the reply.
    fn ask(&mut self, request: Request, news: &mut dyn FnMut(String)) -> Result<Reply> {
        let session = match self {
            Link::Here(here) => return here.0.answer(request, news),
            Link::There(session) => session,
        };
        session.send(&request)?;
        loop {
            let reply = session.reply()?;
            if let Reply::News { text } = reply {
                news(text);
            } else if let Reply::Refused { message, is_refusal } = reply {
                return Err(Error::Far { host: session.host.clone(), message, is_refusal });
            } else {
                return Ok(reply);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_folder_or_a_host_and_a_folder() {
        let there = |host: &str, folder: &str| Ok(Target::There { host: host.into(), folder: folder.into() });
        assert_eq!(Target::parse("/srv/pxelator"), Ok(Target::Here("/srv/pxelator".into())));
        assert_eq!(Target::parse("./a:b"), Ok(Target::Here("./a:b".into())));
        assert_eq!(Target::parse("ana@boot:/srv/pxelator"), there("ana@boot", "/srv/pxelator"));
        // An option in the place of a host would be obeyed by ssh.
        for wrong in ["-oProxyCommand=x:/srv", ":/srv", "boot:srv", "a b:/srv", ""] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
