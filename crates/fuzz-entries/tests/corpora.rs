//! Replays every kept corpus through its entry, so that what fuzzing once found stays fixed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

/// What fuzzing added to the seeds: a file a corpus, a line of base64 an input.
#[test]
fn what_fuzzing_found_worth_keeping_is_taken_calmly() {
    let grown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/grown");
    for file in fs::read_dir(grown).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let input = STANDARD.decode(line).unwrap();
            assert!(fuzz_entries::run(name, &input), "there is no entry {name}");
        }
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
