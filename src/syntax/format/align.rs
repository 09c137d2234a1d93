//! Which runs of spaces stay: those that bring an entry under, or over, another.

use super::lines::Line;

/// How often a table is looked at; what has not come to rest then has no columns.
const PASSES_MAX: usize = 8;

/// Where the entries of a line begin and end, in characters.
#[derive(Default)]
struct Columns {
    /// All, so that the nth is that of the nth gap.
    places: Vec<(usize, usize)>,
    /// Those of entries that are no brace, rising: what others may stand under.
    starts: Vec<usize>,
    ends: Vec<usize>,
}

/// Spaces that align nothing become one.
pub(super) fn aligned(mut lines: Vec<Line<'_>>) -> Vec<Line<'_>> {
    let mut start = 0;
    while start < lines.len() {
        let end = start + table(lines.get(start..).unwrap_or_default());
        let rows = lines.get_mut(start..end).unwrap_or_default();
        let came_to_rest = (0..PASSES_MAX).any(|_| !tighten(rows));
        if !came_to_rest {
            gaps(rows).for_each(|gap| *gap = 1);
        }
        start = end;
    }
    lines
}

/// How many lines from here stand together: one depth, no blank line between.
fn table(lines: &[Line<'_>]) -> usize {
    let Some(first) = lines.first() else { return 1 };
    let apart = |line: &Line<'_>| line.blank_before || line.indent != first.indent;
    lines.iter().skip(1).position(apart).map_or(lines.len(), |at| at + 1)
}

/// All gaps between entries; what stands before a comment at the end of a line is none.
fn gaps<'a>(lines: &'a mut [Line<'_>]) -> impl Iterator<Item = &'a mut usize> {
    lines.iter_mut().flat_map(|line| &mut line.cells).filter(|cell| !cell.is_last && cell.gap > 1).map(|cell| &mut cell.gap)
}

/// Closes the gaps that align nothing; true where there was one.
fn tighten(lines: &mut [Line<'_>]) -> bool {
    let wide = |line: &&mut Line<'_>| !line.is_comment();
    let columns: Vec<Columns> = lines.iter().filter(|line| !line.is_comment()).map(columns).collect();
    let none = Columns::default();
    let mut changed = false;
    for (at, line) in lines.iter_mut().filter(wide).enumerate() {
        let above = at.checked_sub(1).and_then(|at| columns.get(at)).unwrap_or(&none);
        let below = columns.get(at + 1).unwrap_or(&none);
        let own = columns.get(at).unwrap_or(&none);
        for (entry, cell) in line.cells.iter_mut().filter(|cell| cell.gap > 0 && !cell.is_last).enumerate() {
            let place = own.places.get(entry);
            let meets = |other: &Columns| {
                place.is_some_and(|(start, end)| other.starts.binary_search(start).is_ok() || other.ends.binary_search(end).is_ok())
            };
            if cell.gap > 1 && !meets(above) && !meets(below) {
                cell.gap = 1;
                changed = true;
            }
        }
    }
    changed
}

/// The columns of the entries behind the first. A line with a string or a comment of
/// several lines has none.
fn columns(line: &Line<'_>) -> Columns {
    let mut columns = Columns::default();
    if line.cells.iter().any(|cell| cell.text.contains('\n')) {
        return columns;
    }
    let (mut at, mut braces) = (0, Vec::new());
    for cell in line.cells.iter().filter(|cell| !cell.is_last) {
        at += cell.gap;
        if cell.gap > 0 {
            columns.places.push((at, at));
            braces.push(matches!(&*cell.text, "{" | "}"));
        }
        at += cell.text.chars().count();
        columns.places.last_mut().into_iter().for_each(|(_, end)| *end = at);
    }
    let entries = columns.places.iter().zip(&braces).filter(|(_, is_brace)| !**is_brace).map(|(place, _)| *place);
    (columns.starts, columns.ends) = entries.unzip();
    columns
}
