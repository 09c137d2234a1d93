//! The names in `{name}`, `{n+10}` and `{left.width:02}`.

/// The slices of a text that are known names within braces. Names may have hyphens: of `{a-b}` the
/// longest known one is meant, as in `eval::expression`.
pub(super) fn names(text: &str, is_known: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    insides(text).flat_map(move |inside| {
        let mut found = Vec::new();
        let mut rest = inside.split(':').next().unwrap_or_default();
        while !rest.is_empty() {
            let (name, known, after) = operand(rest, &is_known);
            found.extend(known.then_some(name));
            rest = after.strip_prefix(['+', '-']).unwrap_or_default();
        }
        found
    })
}

/// What stands between braces; `{{` is a brace itself.
fn insides(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('{')?;
            if let Some(after) = after.strip_prefix('{') {
                rest = after;
                continue;
            }
            let (inside, tail) = after.split_once('}')?;
            rest = tail;
            return Some(inside);
        }
    })
}

/// The first operand of a sum, whether it is known, and what follows.
fn operand<'t>(text: &'t str, is_known: &impl Fn(&str) -> bool) -> (&'t str, bool, &'t str) {
    /// More operators than anybody writes in one name.
    const ENDS_MAX: usize = 16;
    let ends: Vec<usize> =
        text.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-')).map(|(at, _)| at).take(ENDS_MAX).chain([text.len()]).collect();
    for end in ends.iter().rev() {
        let (name, after) = text.split_at(*end);
        if is_known(name.trim()) {
            return (name.trim(), true, after);
        }
    }
    // A field of a submodule stands behind a dot.
    for end in &ends {
        let (name, after) = text.split_at(*end);
        if let Some((record, _)) = name.trim().split_once('.').filter(|(record, _)| is_known(record)) {
            return (record, true, after);
        }
    }
    let (name, after) = text.split_at(ends.first().copied().unwrap_or(text.len()));
    (name.trim(), false, after)
}

/// A name with braces as a pattern: each `{…}` stands for anything.
pub(super) fn pattern(name: &str) -> String {
    let (mut out, mut rest) = (String::new(), name);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    (out + rest).to_ascii_lowercase()
}

/// Where a text ends within braces: what is written behind the open one.
pub(super) fn open_end(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        let (_, after) = rest.split_once('{')?;
        if let Some(after) = after.strip_prefix('{') {
            rest = after;
            continue;
        }
        match after.split_once('}') {
            Some((_, tail)) => rest = tail,
            None => return Some(after),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_expressions_mean_them() {
        let known = |name: &str| matches!(name, "n" | "idle-reset" | "left" | "img");
        let found = |text| names(text, known).collect::<Vec<_>>();
        assert_eq!(found("{img}/vmlinuz-{n:02}"), ["img", "n"]);
        assert_eq!(found("{idle-reset-n+10}"), ["idle-reset", "n"]);
        assert_eq!(found("{left.width+n}"), ["left", "n"]);
        assert_eq!(found("{{img}} {nobody}"), Vec::<&str>::new());
        assert_eq!(found("{img"), Vec::<&str>::new());
        assert_eq!(pattern("seat-{n:02}-{{"), "seat-*-*");
        assert_eq!(open_end("{img}/{{ {na"), Some("na"));
        assert_eq!(open_end("{img}"), None);
    }
}
