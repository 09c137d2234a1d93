//! `options`: what a site may hold, and what a module wants.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::report::{self, Findings, Format};
use super::{Failure, Outcome};
use crate::diag::{Diags, nearest};
use crate::schema::describe::{self, ModuleDoc};
use crate::schema::is_name;
use crate::source::{FILE_BYTES_MAX, Inputs, Sources, module_paths};
use crate::syntax::parse;
use crate::terminal::print;

/// Tell what a site may hold: nodes, arguments, properties, and the options of a module
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  pxelator options host\n  pxelator options network.gateway\n  pxelator options --module kiosk\n  pxelator options --format man > pxelator-site.5"
)]
pub(super) struct Args {
    /// A node, NODE.PROPERTY, or a type of options; without one, all nodes are listed
    #[arg(conflicts_with = "module")]
    node: Option<String>,
    /// Text for people, JSON for programs, the reference as Markdown or man page, a JSON Schema
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
    /// Tell the options of this module of the site
    #[arg(long, value_name = "NAME")]
    module: Option<String>,
    /// The site file; modules/ lies beside it
    #[arg(long, default_value = "site.kdl", value_name = "SITE")]
    site: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Text,
    Json,
    /// The reference of the whole language, or a page about a module
    Markdown,
    /// pxelator-site(5), of the whole language
    Man,
    /// For the tree that `inspect syntax --format json` prints
    JsonSchema,
}

pub(super) fn run(args: &Args) -> Result<Outcome, Failure> {
    if let Some(name) = &args.module {
        return tell_module(name, args);
    }
    let topics = args.node.as_deref().map(describe::find).transpose()?;
    let whole = |text: String| match &args.node {
        Some(node) => Err(format!("this format tells the whole language: leave `{node}` away, or use --format text or json")),
        None => Ok(text),
    };
    let said = match args.format {
        Shape::Text => topics.as_deref().map_or_else(describe::overview, describe::text),
        Shape::Json => describe::json(topics.as_deref()),
        Shape::Markdown => whole(describe::markdown())?,
        Shape::Man => whole(describe::man())?,
        Shape::JsonSchema => whole(describe::json_schema())?,
    };
    print(&said);
    Ok(Outcome::Good)
}

fn tell_module(name: &str, args: &Args) -> Result<Outcome, Failure> {
    let make: fn(&ModuleDoc) -> Result<String, serde_json::Error> = match args.format {
        Shape::Text => |module| Ok(module.text()),
        Shape::Json => |module| serde_json::to_string_pretty(module).map(|text| text + "\n"),
        Shape::Markdown => |module| Ok(module.markdown()),
        Shape::Man | Shape::JsonSchema => return Err("a module is told as text, json or markdown".into()),
    };
    let folder = args.site.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = if is_name(name) { module_paths(name).into_iter().find(|path| folder.join(path).is_file()) } else { None };
    let Some(path) = found else { return Err(unknown(name, folder).into()) };
    let (sources, broken) = Sources::from_inputs(Inputs::from([(path.clone(), read(&folder.join(&path))?)]));
    let mut diags = Diags::default();
    broken.into_iter().for_each(|at| diags.push(crate::syntax::not_utf8(at)));
    let module = sources.find(&path).and_then(|file| {
        let nodes = parse(sources.text(file), file, &mut diags);
        describe::module(nodes, name, &mut diags)
    });
    if diags.errors() > 0 {
        diags.sort();
        report::show(&Findings { sources: &sources, diags: &diags, folder }, Format::Text);
        return Ok(Outcome::Errors);
    }
    let Some(module) = module else {
        return Err(format!("`{path}` holds no `module {name}`; begin it with: module {name} {{ … }}").into());
    };
    print(&make(&module)?);
    Ok(Outcome::Good)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let told = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    if std::fs::metadata(path).map_err(told)?.len() > FILE_BYTES_MAX as u64 {
        return Err(format!("{} has more than {} MiB", path.display(), FILE_BYTES_MAX >> 20).into());
    }
    Ok(std::fs::read(path).map_err(told)?)
}

/// Says which modules the folder has, where one is near.
fn unknown(name: &str, folder: &Path) -> String {
    let list = std::fs::read_dir(folder.join("modules")).into_iter().flatten().flatten();
    let known: Vec<String> = list.map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".kdl").to_owned()).collect();
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("no module `{name}`; did you mean `{near}`?"),
        None => format!(
            "no module `{name}`: there is neither {0}/modules/{name}.kdl nor {0}/modules/{name}/module.kdl",
            folder.display()
        ),
    }
}
