//! Reading what is sent: bytes in memory, or a pinned file in large pieces off the event loop.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::answer::Content;
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
    /// Opens it; an asset whose size is not the pinned one is not what was reviewed.
    pub(super) async fn open(content: Content) -> io::Result<Reader> {
        let row = match content {
            Content::Bytes(bytes) => {
                return Ok(Reader { source: Source::Bytes, size: bytes.len() as u64, piece: bytes, from: 0 });
            }
            Content::Asset(row) => row,
        };
        let size = row.size;
        let file = blocking(move || {
            let file = open_beneath(Path::new(&row.root), &row.path)?;
            match file.metadata()?.len() {
                found if found == row.size => Ok(file),
                found => Err(io::Error::other(format!("{} has {found} bytes, assets.lock says {}", row.path, row.size))),
            }
        });
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

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
