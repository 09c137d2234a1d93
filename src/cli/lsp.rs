//! `lsp`: the language server, started by an editor.

use super::{Failure, Outcome};
use crate::lsp;

/// Speak the Language Server Protocol over standard input and output, for editors
///
/// Findings as you type, hover, completion, go to definition, references, symbols, and rename in all
/// files of the site. The site is the nearest folder above a file that holds a site.kdl.
#[derive(clap::Args)]
#[command(
    after_help = "Neovim 0.11, in init.lua:
  vim.lsp.config('pxelator', { cmd = { 'pxelator', 'lsp' }, filetypes = { 'kdl' }, root_markers = { 'site.kdl' } })
  vim.lsp.enable('pxelator')

Neovim before 0.11, in init.lua:
  vim.filetype.add({ extension = { kdl = 'kdl' } })
  vim.api.nvim_create_autocmd('FileType', { pattern = 'kdl', callback = function()
    vim.lsp.start({ name = 'pxelator', cmd = { 'pxelator', 'lsp' },
      root_dir = vim.fs.dirname(vim.fs.find('site.kdl', { upward = true })[1]) })
  end })

VS Code and its like, with an extension for any language server, such as Generic LSP Client (v2):
  \"glspc.server.command\": \"pxelator\", \"glspc.server.commandArguments\": [\"lsp\"], \"glspc.server.languageId\": [\"kdl\"]

Emacs 29, with kdl-mode or any other mode for .kdl, in init.el:
  (with-eval-after-load 'eglot (add-to-list 'eglot-server-programs '(kdl-mode . (\"pxelator\" \"lsp\"))))"
)]
pub(super) struct Args {
    /// Accepted, as some editors add it; there is no other way to talk
    #[arg(long)]
    stdio: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    let Args { stdio: _only_way } = args;
    let asked = lsp::run(std::io::stdin(), std::io::stdout())?;
    Ok(if asked { Outcome::Good } else { Outcome::Errors })
}
