//! The conversation: who the client is, what it told, what it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::{
    self as lsp, CompletionOptions, InitializeParams, InitializeResult, OneOf, RenameOptions, ServerCapabilities,
    ServerInfo, TextDocumentPositionParams, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions, Uri,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::Here;
use super::findings::{Found, Job, Open};
use super::position::Encoding;
use super::session::Event;
use super::wire::Error;
use super::workspace::{Home, Workspace};
use crate::terminal::say;

/// How many different troubles are told; a server that repeats itself is turned off.
const TOLD_MAX: usize = 100;

/// How a conversation ends.
pub(super) enum End {
    Exit { asked: bool },
    Gone { asked: bool },
    Broken(Error),
}

/// What the client can do.
#[derive(Debug, Default)]
pub(super) struct Client {
    pub(super) snippets: bool,
    pub(super) markdown: bool,
    pub(super) document_changes: bool,
    related: bool,
    watches: bool,
}

impl Client {
    fn of(params: &InitializeParams) -> Client {
        let text = params.capabilities.text_document.as_ref();
        let workspace = params.capabilities.workspace.as_ref();
        let item = text.and_then(|text| text.completion.as_ref()?.completion_item.as_ref());
        let formats = text.and_then(|text| text.hover.as_ref()?.content_format.as_ref());
        let related = text.and_then(|text| text.publish_diagnostics.as_ref()?.related_information);
        Client {
            snippets: item.and_then(|item| item.snippet_support).unwrap_or(false),
            markdown: formats.is_some_and(|formats| formats.contains(&lsp::MarkupKind::Markdown)),
            document_changes: workspace.and_then(|workspace| workspace.workspace_edit.as_ref()?.document_changes).unwrap_or(false),
            related: related.unwrap_or(false),
            watches: workspace.and_then(|workspace| workspace.did_change_watched_files.as_ref()?.dynamic_registration).unwrap_or(false),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before `initialize`.
    Greeting,
    Talking,
    /// After `shutdown`.
    Leaving,
}

/// An answer, or a code and the words for it.
type Answer = Result<Value, (ErrorCode, String)>;

pub(super) struct Server {
    answers: SyncSender<Message>,
    jobs: SyncSender<Job>,
    stage: Stage,
    client: Client,
    workspace: Workspace,
    /// Sites that changed since they were checked.
    changed: BTreeSet<PathBuf>,
    is_checking: bool,
    /// Per site what the editor shows now.
    shown: BTreeMap<PathBuf, BTreeMap<String, (Uri, Vec<lsp::Diagnostic>)>>,
    told: BTreeSet<String>,
}

impl Server {
    pub(super) fn new(answers: SyncSender<Message>, jobs: SyncSender<Job>) -> Server {
        Server {
            answers,
            jobs,
            stage: Stage::Greeting,
            client: Client::default(),
            workspace: Workspace::new(Encoding::Utf16),
            changed: BTreeSet::new(),
            is_checking: false,
            shown: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Takes what waited; gives the end, if this was it.
    pub(super) fn take(&mut self, batch: Vec<Event>) -> Option<End> {
        let cancelled: BTreeSet<RequestId> = batch.iter().filter_map(cancelled).collect();
        for event in batch {
            match event {
                Event::Message(Message::Request(request)) => {
                    let response = if cancelled.contains(&request.id) {
                        Response::new_err(request.id, ErrorCode::RequestCanceled as i32, "cancelled".to_owned())
                    } else {
                        self.respond(request)
                    };
                    self.send(response.into());
                }
                Event::Message(Message::Notification(note)) if note.method == "exit" => {
                    return Some(End::Exit { asked: self.stage == Stage::Leaving });
                }
                Event::Message(Message::Notification(note)) => {
                    if self.stage == Stage::Talking && catch_unwind(AssertUnwindSafe(|| self.note(note))).is_err() {
                        self.tell("a bug in pxelator kept it from following an edit; close and open the file again".to_owned());
                    }
                }
                Event::Message(Message::Response(_)) => {} // to our own request to watch files
                Event::Checked(found) => self.publish(found),
                Event::Ended => return Some(End::Gone { asked: self.stage == Stage::Leaving }),
                Event::Broken(error) => return Some(End::Broken(error)),
            }
        }
        self.check();
        None
    }

    fn send(&self, message: Message) {
        let _the_reader_sees_it = self.answers.send(message);
    }

    fn notify(&self, method: &str, params: impl Serialize) {
        let params = serde_json::to_value(params).unwrap_or_default();
        self.send(Message::Notification(Notification { method: method.to_owned(), params }));
    }

    /// Says something once, beside the log of the editor.
    fn tell(&mut self, message: String) {
        say(&message);
        if self.told.len() < TOLD_MAX && self.told.insert(message.clone()) {
            self.notify("window/showMessage", lsp::ShowMessageParams { typ: lsp::MessageType::WARNING, message });
        }
    }

    fn respond(&mut self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let answer = match self.stage {
            Stage::Greeting if method != "initialize" => Err((ErrorCode::ServerNotInitialized, "`initialize` comes first".to_owned())),
            Stage::Leaving => Err((ErrorCode::InvalidRequest, "only `exit` follows `shutdown`".to_owned())),
            Stage::Greeting | Stage::Talking => catch_unwind(AssertUnwindSafe(|| self.answer(&method, params)))
                .unwrap_or_else(|_| Err((ErrorCode::InternalError, format!("a bug in pxelator kept it from answering `{method}`")))),
        };
        match answer {
            Ok(value) => Response { id, response_result: Ok(value) },
            Err((code, message)) => Response::new_err(id, code as i32, message),
        }
    }

    fn answer(&mut self, method: &str, params: Value) -> Answer {
        match method {
            "initialize" => self.initialize(params),
            "shutdown" => {
                self.stage = Stage::Leaving;
                Ok(Value::Null)
            }
            "textDocument/hover" => self.at(params, |here, client| told(here.hover(client))),
            "textDocument/completion" => self.at(params, |here, client| told(here.complete(client))),
            "textDocument/definition" => self.at(params, |here, _| told(here.definition())),
            "textDocument/references" => {
                let context: lsp::ReferenceContext = read(params.get("context").cloned().unwrap_or_default())?;
                self.at(params, |here, _| told(here.references(context.include_declaration)))
            }
            "textDocument/documentSymbol" => {
                let wanted: lsp::DocumentSymbolParams = read(params)?;
                let place = TextDocumentPositionParams { text_document: wanted.text_document, position: lsp::Position::default() };
                self.at(json!(place), |here, _| told(here.symbols()))
            }
            "textDocument/prepareRename" => self.at(params, |here, _| here.prepare_rename().map_err(refused).and_then(told)),
            "textDocument/rename" => {
                let new: String = read(params.get("newName").cloned().unwrap_or_default())?;
                self.workspace.forget_all(); // what is renamed must be what lies on the disk now
                self.at(params, |here, client| here.rename(&new, client).map_err(refused).and_then(told))
            }
            _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not known here"))),
        }
    }

    /// Answers a question about a place; `null` where the document is not open.
    fn at(&mut self, params: Value, answer: impl FnOnce(&Here<'_>, &Client) -> Answer) -> Answer {
        let place: TextDocumentPositionParams = read(params)?;
        let here = Here::new(&mut self.workspace, &place.text_document.uri, place.position);
        here.map_or(Ok(Value::Null), |here| answer(&here, &self.client))
    }

    fn initialize(&mut self, params: Value) -> Answer {
        if self.stage != Stage::Greeting {
            return Err((ErrorCode::InvalidRequest, "`initialize` comes once".to_owned()));
        }
        let params: InitializeParams = read(params)?;
        let encodings = params.capabilities.general.as_ref().and_then(|general| general.position_encodings.as_deref());
        self.workspace = Workspace::new(Encoding::choose(encodings));
        self.client = Client::of(&params);
        self.stage = Stage::Talking;
        let name = ServerInfo { name: "pxelator".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
        told(InitializeResult { capabilities: capabilities(self.workspace.encoding), server_info: Some(name) })
    }

    fn note(&mut self, note: Notification) {
        let result = match note.method.as_str() {
            "initialized" => {
                self.watch();
                Ok(())
            }
            "textDocument/didOpen" => read(note.params).map(|params: lsp::DidOpenTextDocumentParams| {
                let lsp::TextDocumentItem { uri, version, text, .. } = params.text_document;
                let opened = self.workspace.open(uri.clone(), version, text);
                self.touched(&uri, opened.map(Some));
            }),
            "textDocument/didChange" => read(note.params).map(|params: lsp::DidChangeTextDocumentParams| {
                let changed = self.workspace.change(&params.text_document.uri, params.text_document.version, params.content_changes);
                self.touched(&params.text_document.uri, changed);
            }),
            "textDocument/didClose" => read(note.params).map(|params: lsp::DidCloseTextDocumentParams| self.close(&params.text_document.uri)),
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.workspace.forget_all();
                self.changed.extend(self.workspace.roots());
                Ok(())
            }
            _ => Ok(()), // what begins with `$/` may be left alone, and so may news that concerns us not
        };
        if let Err((_, why)) = result {
            say(&format!("`{}` was not understood: {why}", note.method));
        }
    }

    fn touched(&mut self, uri: &Uri, result: Result<Option<Home>, String>) {
        match result {
            Ok(home) => self.changed.extend(home.map(|home| home.root)),
            Err(why) => self.tell(format!("{}: {why}", uri.as_str())),
        }
    }

    fn close(&mut self, uri: &Uri) {
        let Some(home) = self.workspace.close(uri) else { return };
        if self.workspace.of_root(&home.root).next().is_some() {
            self.changed.insert(home.root);
            return;
        }
        self.changed.remove(&home.root);
        for (uri, _) in self.shown.remove(&home.root).unwrap_or_default().into_values() {
            self.notify("textDocument/publishDiagnostics", lsp::PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None });
        }
    }

    /// Asks to be told when files change that are not open.
    fn watch(&self) {
        if !self.client.watches {
            return;
        }
        let watchers = ["**/*.kdl", "**/*.tera", "**/assets.lock"].map(|glob| json!({ "globPattern": glob }));
        let params = json!({ "registrations": [{
            "id": "files", "method": "workspace/didChangeWatchedFiles", "registerOptions": { "watchers": watchers },
        }] });
        self.send(Request { id: RequestId::from("watch".to_owned()), method: "client/registerCapability".to_owned(), params }.into());
    }

    /// Starts the next check, unless one runs: what changes meanwhile waits, and is checked as a whole.
    fn check(&mut self) {
        if self.is_checking || self.stage != Stage::Talking {
            return;
        }
        let Some(root) = self.changed.pop_first() else { return };
        let inputs = self.workspace.inputs(&root).unwrap_or_else(|error| {
            self.tell(error.to_string());
            Default::default()
        });
        let documents: Vec<_> = self.workspace.of_root(&root).collect();
        let is_site = documents.iter().any(|document| document.home.is_site);
        let open = |document: &&super::workspace::Document| {
            let alone = (!is_site || !inputs.contains_key(&document.home.name)).then(|| document.text.clone());
            (document.home.name.clone(), Open { uri: document.uri.clone(), version: document.version, alone })
        };
        let open = documents.iter().map(open).collect();
        let job = Job { root, inputs, is_site, open, encoding: self.workspace.encoding, related: self.client.related };
        self.is_checking = self.jobs.send(job).is_ok();
    }

    /// Tells the editor what is new: every open document, and other files whose findings changed.
    fn publish(&mut self, found: Found) {
        self.is_checking = false;
        if found.broke {
            self.tell("a bug in pxelator kept it from checking the site; `pxelator check` may tell more".to_owned());
        }
        if found.broke || self.workspace.of_root(&found.root).next().is_none() {
            return;
        }
        let mut before = self.shown.remove(&found.root).unwrap_or_default();
        let mut now = BTreeMap::new();
        for file in found.files {
            let old = before.remove(file.uri.as_str()).map(|(_, list)| list).unwrap_or_default();
            if file.version.is_some() || old != file.list {
                let params = lsp::PublishDiagnosticsParams { uri: file.uri.clone(), diagnostics: file.list.clone(), version: file.version };
                self.notify("textDocument/publishDiagnostics", params);
            }
            if !file.list.is_empty() {
                now.insert(file.uri.as_str().to_owned(), (file.uri, file.list));
            }
        }
        for (uri, _) in before.into_values() {
            self.notify("textDocument/publishDiagnostics", lsp::PublishDiagnosticsParams { uri, diagnostics: Vec::new(), version: None });
        }
        self.shown.insert(found.root, now);
    }
}

fn cancelled(event: &Event) -> Option<RequestId> {
    let Event::Message(Message::Notification(note)) = event else { return None };
    let id = note.params.get("id").filter(|_| note.method == "$/cancelRequest")?;
    serde_json::from_value(id.clone()).ok()
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn told(answer: impl Serialize) -> Answer {
    serde_json::to_value(answer).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

fn refused(why: String) -> (ErrorCode, String) {
    (ErrorCode::RequestFailed, why)
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    let triggers = ["=", "{", "(", ":", "\"", ","].map(str::to_owned).to_vec();
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::INCREMENTAL),
        save: Some(lsp::TextDocumentSyncSaveOptions::Supported(true)),
        ..TextDocumentSyncOptions::default()
    };
    ServerCapabilities {
        position_encoding: Some(encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(sync)),
        hover_provider: Some(lsp::HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions { trigger_characters: Some(triggers), ..CompletionOptions::default() }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions { prepare_provider: Some(true), work_done_progress_options: Default::default() })),
        ..ServerCapabilities::default()
    }
}
