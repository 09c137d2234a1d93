//! Reading what is sent: bytes in memory, or a pinned file in large pieces off the event loop.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use tracing::warn;

use crate::answer::Content;
use crate::out::table::{AssetRow, Tables};
use crate::store::assets::open_beneath;

/// How much is read from a disk at once, in bytes.
const PIECE_BYTES: u64 = 1 << 20;

/// Something to send, with the piece of it that was read last.
pub(super) struct Reader {
    source: Source,
    size: u64,
    piece: Vec<u8>,
    /// Where `piece` begins.
    from: u64,
}

enum Source {
    Bytes,
    File(Arc<File>),
}

impl Reader {
    /// Opens it.
    pub(super) async fn open(content: Content) -> io::Result<Reader> {
        let row = match content {
            Content::Bytes(bytes) => {
                return Ok(Reader { source: Source::Bytes, size: bytes.len() as u64, piece: bytes, from: 0 });
            }
            Content::Asset(row) => row,
        };
        let size = row.size;
        let file =
            blocking(move || open_pinned(&row).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", row.path))));
        Ok(Reader { source: Source::File(Arc::new(file.await?)), size, piece: Vec::new(), from: 0 })
    }

    /// The bytes of a range; fewer only where the file ends.
    pub(super) async fn read(&mut self, range: Range<u64>) -> io::Result<&[u8]> {
        let range = range.start.min(self.size)..range.end.min(self.size);
        let held = self.from..self.from + self.piece.len() as u64;
        if let Source::File(file) = &self.source
            && !(held.start <= range.start && range.end <= held.end)
        {
            let (file, start) = (file.clone(), range.start);
            let wanted = (range.end - range.start).max(PIECE_BYTES).min(self.size - start);
            let mut piece = std::mem::take(&mut self.piece);
            self.piece = blocking(move || {
                piece.resize(wanted as usize, 0);
                file.read_exact_at(&mut piece, start).map(|()| piece)
            })
            .await?;
            self.from = start;
        }
        let at = (range.start - self.from) as usize;
        Ok(self.piece.get(at..at + (range.end - range.start) as usize).unwrap_or_default())
    }
}

/// How many files that cannot be served are named.
const NAMED_MAX: usize = 10;

/// Says which pinned files are not there as they were pinned: machines would fail to boot.
pub(super) fn warn_unreadable(tables: &Tables) {
    let problems: Vec<String> = tables
        .assets
        .values()
        .filter_map(|row| open_pinned(row).err().map(|error| format!("{}/{}: {error}", row.root, row.path)))
        .collect();
    problems.iter().take(NAMED_MAX).for_each(|problem| warn!("asset {problem}"));
    if problems.len() > NAMED_MAX {
        warn!("and {} more assets cannot be served", problems.len() - NAMED_MAX);
    }
}

/// An asset whose size is not the pinned one is not what was reviewed.
fn open_pinned(row: &AssetRow) -> io::Result<File> {
    let file = open_beneath(Path::new(&row.root), &row.path)?;
    match file.metadata()?.len() {
        found if found == row.size => Ok(file),
        found => Err(io::Error::other(format!("{} has {found} bytes, assets.lock says {}", row.path, row.size))),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
