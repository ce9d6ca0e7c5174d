//! Files: nothing that a server says leads out of the folder, and no link leads the bytes elsewhere.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use junfeiai::{Client, ErrorKind};
use junfeiai_emulator::{Emulator, TaskSpec};
use junfeiai_security::server::Server;
use junfeiai_security::{KEY, builder, emulator};
use serde_json::json;

struct Case {
    emulator: Emulator,
    client: Client,
    id: String,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let emulator = emulator(&json!({}));
        let client = builder(&emulator.base_url()).build().unwrap();
        let id = emulator.add_task(TaskSpec::default());
        Self { emulator, client, id, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn save(&self, name: &str) -> junfeiai::Save {
        self.client.videos().video(&self.id).unwrap().save(self.path(name))
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Ids that lead out of a path or a folder, end a text early, or are a device.
const BAD_IDS: [&str; 14] = [
    "../../etc/passwd",
    "..",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "..\\..\\a",
    "C:\\a",
    "a\0b",
    "a\nb",
    "%2e%2e%2fa",
    "a?b=c",
    "a#b",
    "task_\u{202e}4pm",
    "~root",
];

/// What stands for a folder, however it is encoded: as an id it is refused.
const NO_SEGMENT: &str = "..";

#[tokio::test]
async fn an_id_of_the_server_leads_nowhere() {
    for id in BAD_IDS {
        let answer = json!({ "id": id, "task_id": id, "status": "queued" }).to_string();
        let server = Server::start(move |_, out| out.json(&answer));
        let client = builder(&format!("{}/v1", server.origin())).build().unwrap();
        let created = client.videos().create("a red ball").await;
        if id == NO_SEGMENT {
            let error = created.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{id:?}: {error}");
            assert!(client.videos().task(id).is_err() && client.videos().video(id).is_err(), "{id:?}");
            continue;
        }
        // It was paid for: it is kept as it is, and is one segment of a path and one name of a file.
        assert_eq!(created.unwrap().id(), id);
        let _ = client.videos().get(id).await;
        let asked = server.seen().pop().unwrap().path();
        let segment = asked.strip_prefix("/v1/video/generations/").unwrap_or_else(|| panic!("{id:?}: {asked}"));
        assert!(!segment.is_empty() && !segment.contains(['/', '\\', '?', '#']), "{id:?}: {asked}");
        let name = client.videos().video(id).unwrap().file_name();
        assert_eq!(Path::new(&name).file_name(), Some(name.as_ref()), "{id:?}: {name}");
        assert!(!name.contains(['/', '\\', ':', '\0', '\n']) && !name.starts_with('.'), "{id:?}: {name}");
    }
}

/// A journal is a file that others may have written.
#[tokio::test]
async fn an_id_of_a_journal_that_is_a_folder_is_not_taken() {
    let case = Case::new();
    let journal = case.path("journal");
    let created = json!({ "v": 1, "at": 1, "event": "created", "intent": "1f", "task_id": NO_SEGMENT, "model": "m" });
    fs::write(&journal, format!("{{\"junfeiai_journal\":1,\"generation\":\"1\"}}\n{created}\n")).unwrap();
    let error = builder(&case.emulator.base_url()).journal(&journal).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Journal, "{error}");
    assert_eq!(case.names(), ["journal", "journal.lock"]);
}

#[tokio::test]
async fn videos_of_a_journal_stay_in_their_folder() {
    let case = Case::new();
    let journal = case.path("journal");
    let mut lines = "{\"junfeiai_journal\":1,\"generation\":\"1\"}\n".to_owned();
    // Ids that are kept as they are, and still no names of files.
    let odd = ["..a", "CON", "nul.txt", "task:1", ".hidden", "-rf"];
    let ids: Vec<_> = odd.into_iter().chain(BAD_IDS.into_iter().filter(|id| *id != NO_SEGMENT)).collect();
    for (number, id) in ids.iter().copied().enumerate() {
        case.emulator.add_task(TaskSpec { id: Some(id.to_owned()), ..TaskSpec::default() });
        let created =
            json!({ "v": 1, "at": 1, "event": "created", "intent": number.to_string(), "task_id": id, "model": "m" });
        lines.extend([created.to_string(), "\n".to_owned()]);
    }
    fs::write(&journal, lines).unwrap();
    let client = builder(&case.emulator.base_url()).journal(&journal).build().unwrap();
    let done: Vec<_> = client.videos().resume_pending(case.path("out")).await.unwrap().collect().await;
    assert_eq!(done.len(), ids.len());
    for (id, result) in done {
        let path = result.unwrap_or_else(|error| panic!("{id}: {error}")).path;
        assert_eq!(path.parent(), Some(case.path("out").as_path()), "{id}");
        assert!(!path.file_name().unwrap().to_str().unwrap().starts_with('.'), "{id}: {}", path.display());
    }
    assert_eq!(case.names(), ["journal", "journal.lock", "out"]);
}

#[tokio::test]
async fn a_link_in_the_place_of_the_target_is_not_followed() {
    let case = Case::new();
    let victim = case.path("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, case.path("v.mp4")).unwrap();
    assert_eq!(case.save("v.mp4").await.unwrap_err().kind(), ErrorKind::FileExists);
    // Overwriting replaces the link and leaves alone what it leads to.
    case.save("v.mp4").overwrite(true).await.unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    assert!(fs::symlink_metadata(case.path("v.mp4")).unwrap().is_file());
    // One that leads nowhere is in the way as well.
    symlink(case.path("nothing"), case.path("w.mp4")).unwrap();
    assert_eq!(case.save("w.mp4").await.unwrap_err().kind(), ErrorKind::FileExists);
    assert!(!case.path("nothing").exists());
}

#[tokio::test]
async fn a_link_in_the_place_of_our_own_files_is_refused() {
    for suffix in [".part", ".part.state"] {
        let case = Case::new();
        let victim = case.path("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, case.path(&format!("v.mp4{suffix}"))).unwrap();
        assert_eq!(case.save("v.mp4").await.unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        // Also one that leads nowhere yet.
        fs::remove_file(&victim).unwrap();
        assert_eq!(case.save("v.mp4").await.unwrap_err().kind(), ErrorKind::Io);
        assert!(!victim.exists());
        assert!(!case.path("v.mp4").exists());
    }
}

/// A pipe or a device would hang or swallow.
#[tokio::test]
async fn what_is_no_file_is_refused() {
    for suffix in [".part", ".part.state"] {
        let case = Case::new();
        let pipe = case.path(&format!("v.mp4{suffix}"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(case.save("v.mp4").await.unwrap_err().kind(), ErrorKind::Io);
        fs::remove_file(&pipe).unwrap();
        fs::create_dir(&pipe).unwrap();
        assert_eq!(case.save("v.mp4").await.unwrap_err().kind(), ErrorKind::Io);
    }
}

/// What stands beside the file is text that anybody may have written.
#[tokio::test]
async fn a_state_that_lies_does_not_make_a_file_whole() {
    let case = Case::new();
    let whole = case.emulator.video_bytes(&case.id).unwrap();
    let huge = "9".repeat(400);
    for text in [
        "garbage\n".to_owned(),
        format!("{{\"junfeiai\":{huge}}}\n"),
        "[".repeat(200_000) + "\n",
        format!(
            r#"{{"junfeiai":1,"task_id":null,"validators":{{"total":{}}},"source":"","sparse":true}}{}+ 0-{}{}"#,
            u64::MAX,
            "\n",
            u64::MAX - 1,
            "\n"
        ),
        format!(
            r#"{{"junfeiai":1,"task_id":"{}","validators":{{}},"source":"https://evil.example/v"}}{}"#,
            case.id, "\n"
        ),
    ] {
        let name = format!("{}.mp4", text.len());
        fs::write(case.path(&format!("{name}.part")), b"not the video at all").unwrap();
        fs::write(case.path(&format!("{name}.part.state")), &text).unwrap();
        match case.save(&name).await {
            Ok(_) => assert!(fs::read(case.path(&name)).unwrap() == whole, "{text:.60}"),
            Err(error) => assert!(!case.path(&name).exists(), "{error}"),
        }
    }
}

#[test]
fn names_made_from_ids_are_names() {
    let client = Client::builder().api_key(KEY).endpoint("http://127.0.0.1:1/v1").build().unwrap();
    for id in ["..a", "CON", "con.b", "nul", "LPT9", "a:b", ".a", "-rf", "a..b"] {
        let name = client.videos().video(id).unwrap().file_name();
        assert_eq!(Path::new(&name).components().count(), 1, "{id}: {name}");
        assert!(Path::new(&name).extension().is_some_and(|ext| ext == "mp4"), "{id}: {name}");
        assert!(!name.starts_with('.') && !name.contains([':', '/', '\\']), "{id}: {name}");
    }
}
