//! Replays every kept corpus through its entry, so that what fuzzing once found stays fixed.

use std::fs;
use std::path::Path;

#[test]
fn every_kept_input_is_still_taken_calmly() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, entry) in fuzz_entries::ENTRIES {
        let files = fs::read_dir(corpora.join(name)).unwrap_or_else(|error| {
            panic!("fuzz/corpus/{name} must hold at least one seed: {error}");
        });
        let mut replayed = 0;
        for file in files {
            entry(&fs::read(file.unwrap().path()).unwrap());
            replayed += 1;
        }
        assert!(replayed > 0, "fuzz/corpus/{name} is empty");
    }
}

#[test]
fn every_corpus_and_every_target_has_an_entry() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    for file in fs::read_dir(fuzz.join("corpus")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            fuzz_entries::ENTRIES
                .iter()
                .any(|(known, _)| *known == name),
            "{name}"
        );
    }
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in fuzz_entries::ENTRIES {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "fuzz/Cargo.toml lacks {name}"
        );
        assert!(
            fuzz.join(format!("fuzz_targets/{name}.rs")).exists(),
            "{name}.rs"
        );
    }
}
