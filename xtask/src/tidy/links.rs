//! Every relative link of a document leads to something that exists.

use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag};

use super::Finding;
use super::sources::SourceFile;

pub(super) fn check(file: &SourceFile, root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (event, range) in Parser::new(&file.text).into_offset_iter() {
        let targets = match &event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                vec![dest_url.to_string()]
            }
            Event::Html(html) | Event::InlineHtml(html) => html_targets(html),
            _ => continue,
        };
        let line = 1 + file.text[..range.start].matches('\n').count();
        let dead = targets.iter().filter(|target| is_dead(target, file, root));
        findings.extend(dead.map(|target| {
            let message = format!("`{target}` leads nowhere: mend the link or add the file");
            Finding::new(&file.path, line, message)
        }));
    }
    findings
}

/// The values of `src` and `href`.
fn html_targets(html: &str) -> Vec<String> {
    let values = |attribute: &str| {
        let parts: Vec<String> = html
            .split(attribute)
            .skip(1)
            .filter_map(|rest| rest.split('"').next().map(str::to_owned))
            .collect();
        parts
    };
    [values("src=\""), values("href=\"")].concat()
}

fn is_dead(target: &str, file: &SourceFile, root: &Path) -> bool {
    let elsewhere = target.contains("://") || target.starts_with("mailto:");
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if elsewhere || path.is_empty() {
        return false;
    }
    match within_root(file, path) {
        Some(relative) => !root.join(relative).exists(),
        None => true,
    }
}

/// The target from the root; `None` when it climbs out of the tree.
fn within_root(file: &SourceFile, target: &str) -> Option<PathBuf> {
    let mut path: PathBuf = match target.strip_prefix('/') {
        Some(_) => PathBuf::new(),
        None => file.folders().collect(),
    };
    for component in Path::new(target).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => path.pop().then_some(())?,
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    //! Links that lead somewhere and links that do not.

    use std::fs;

    use super::*;

    const NONE: [usize; 0] = [];

    fn dead_lines(path: &str, text: &str) -> Vec<usize> {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("docs/img")).expect("made");
        for name in ["LICENSE-MIT", "docs/start.md", "docs/img/page.png"] {
            fs::write(root.path().join(name), "").expect("written");
        }
        let found = check(&SourceFile::sample(path, text), root.path());
        found.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "[a](LICENSE-MIT) [b](docs/start.md#first) ![c](docs/img/page.png)\n\
                    [d](https://example.org/x) [e](#below) <mailto:a@example.org> [f](docs)\n\
                    <img src=\"docs/img/page.png\" width=\"9\">\n";
        assert_eq!(dead_lines("README.md", text), NONE);
        let text = "[a](../LICENSE-MIT) [b](img/page.png) [c](/LICENSE-MIT)\n";
        assert_eq!(dead_lines("docs/start.md", text), NONE);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](gone.md)\n\n![b](docs/img/gone.png)\n\n[c][ref]\n\n\
                    <a href=\"gone.html\">d</a>\n\n[ref]: docs/gone.md\n";
        assert_eq!(dead_lines("README.md", text), [1, 3, 5, 7]);
        assert_eq!(dead_lines("README.md", "[out](../../etc/passwd)\n"), [1]);
    }

    #[test]
    fn examples_are_not_links() {
        let text = "`[a](gone.md)`\n\n```\n[b](gone.md)\n```\n";
        assert_eq!(dead_lines("README.md", text), NONE);
    }
}
