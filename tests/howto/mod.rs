//! How-tos: Markdown → rules → modules.

mod compiling;
mod doubts;
mod golden;
mod page;
mod reading;
mod sandbox;
mod scenario;
mod scripts;
mod whole;
mod writing;
