//! What commands that log in elsewhere have in common.

use crate::remote::Ssh;

#[derive(clap::Args)]
pub(super) struct SshArgs {
    /// An option for ssh, as in its configuration file; may be given several times
    #[arg(long = "ssh-option", value_name = "OPTION")]
    ssh_options: Vec<String>,
}

impl SshArgs {
    pub(super) fn ssh(&self) -> Ssh {
        Ssh { options: self.ssh_options.clone() }
    }
}
