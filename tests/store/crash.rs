//! Killed at random moments under load (threats T29, T30): nothing acknowledged is lost, nothing is half done; and no acknowledgement
//! before the sync, seen in the system calls. `COUNTERSIGN_KILLS` says how many kills (default 40).
//!
//! The child is this same test program, asked by an environment variable to write until it is killed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign::base::ids::CaseId;
use countersign::base::ports::{Ports, Random as _, SystemRandom};
use countersign::domain::effect::{Due, Effect, Lane};
use countersign::domain::vocabulary::Duty;
use countersign::store::Store;
use countersign::store::sqlite::{SqliteOptions, SqliteStore};

use crate::world::{self, operator};

/// Where the child keeps its store; set only in a child.
const CHILD: &str = "COUNTERSIGN_TEST_CRASH_CHILD";
/// Asks the child for `synchronous=NORMAL`: the control that must fail.
const NORMAL: &str = "COUNTERSIGN_TEST_CRASH_NORMAL";
/// How many commits the child makes before it ends by itself.
const COMMITS: &str = "COUNTERSIGN_TEST_CRASH_COMMITS";
/// Writers at the same time in the child, unless one is asked for by limiting the commits.
const WRITERS: u32 = 4;
/// Longest wait for a child to say something.
const PATIENCE: Duration = Duration::from_mins(1);

fn now() -> countersign::base::Time {
    use countersign::base::ports::Clock as _;
    countersign::base::ports::SystemClock::new().now()
}

/// Opens the store, writes cases and prints the number of each once its commit has returned.
async fn write_until_killed(path: &Path) {
    let options = SqliteOptions { durable: std::env::var(NORMAL).is_err(), checkpoint_pages: 50, ..SqliteOptions::default() };
    let store = Arc::new(SqliteStore::open(path, &options, Ports::system(), &world::master()).unwrap());
    if store.head().await.unwrap().0 == 0 {
        store.commit(world::founding(now())).await.unwrap();
    }
    let most: u32 = std::env::var(COMMITS).ok().and_then(|n| n.parse().ok()).unwrap_or(u32::MAX);
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..if most == u32::MAX { WRITERS } else { 1 } {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for _ in 0..most {
                let (id, by) = (store.next_case(now()).await.unwrap(), operator("nadia"));
                let at = now();
                let mut change = world::change(at, by.clone());
                let events = vec![world::opened("payments-batch", &by, at, BTreeSet::new()), world::lineage("p-nadia", Duty::Router, at)];
                change.case = Some(world::case_change(None, id, events, 0, at));
                change.effects = vec![Due { effect: Effect::NotifyApprovers { case: id, reminder: false }, not_before: at }];
                store.commit(change).await.unwrap();
                // One write call a line, so that a kill never tears one.
                std::io::stderr().write_all(format!("ACK {id}\n").as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

/// Not a test of its own: what a child runs. In any other process there is nothing to write, and that is what it shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    match std::env::var_os(CHILD) {
        Some(path) => write_until_killed(Path::new(&path)).await,
        None => assert!(std::env::var_os(NORMAL).is_none(), "only a child is asked to write carelessly"),
    }
}

fn itself(command: &mut Command, path: &Path) -> Child {
    command
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a child write, kills it after a while, and gives what it had acknowledged.
fn kill_once(path: &Path, wait: Duration) -> Vec<CaseId> {
    let mut child = itself(&mut Command::new(std::env::current_exe().unwrap()), path);
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let ids = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("ACK ").and_then(|id| id.parse().ok()));
        ids.inspect(|_| tell.send(()).unwrap_or(())).collect::<Vec<CaseId>>()
    });
    // The first acknowledgement shows that it is writing; the kill comes at a random moment after it.
    let writes = told.recv_timeout(PATIENCE).is_ok();
    let until = Instant::now() + wait;
    while writes && Instant::now() < until && told.recv_timeout(until - Instant::now()).is_ok() {}
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(writes, "the child never wrote");
    reader.join().unwrap()
}

#[tokio::test]
async fn killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_is_half_done() {
    let kills: u32 = std::env::var("COUNTERSIGN_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    let (began, folder) = (Instant::now(), tempfile::tempdir().unwrap());
    let (mut acknowledged, mut cases) = (0, 0);
    let mut path = folder.path().join("db-0");
    for kill in 0..kills {
        // A fresh database now and then, so that verifying stays quick and new files are killed too.
        if kill % 20 == 0 {
            path = folder.path().join(format!("db-{kill}"));
        }
        let mut random = [0_u8; 2];
        SystemRandom.fill(&mut random);
        let acks = kill_once(&path, Duration::from_micros(u64::from(u16::from_le_bytes(random)) * 2));
        let store = SqliteStore::open(&path, &SqliteOptions::default(), Ports::system(), &world::master()).unwrap();
        for id in &acks {
            assert!(store.case(*id).await.unwrap().is_some(), "{id} was acknowledged and is lost");
        }
        cases = store.counts(None).await.unwrap().open;
        let mut effects = Vec::new();
        for lane in Lane::ALL {
            effects.extend(store.claim(lane, now() + chrono::Duration::days(1), u16::MAX, 0).await.unwrap());
        }
        assert_eq!(effects.len() as u64, cases, "each case with its effect, or neither");
        assert_eq!(store.verify(&|_, _| {}).await.unwrap(), Vec::<String>::new());
        acknowledged += acks.len();
    }
    assert!(acknowledged > 0 && cases > 0);
    println!("{kills} kills, {acknowledged} acknowledged commits, none lost, in {:.1} s", began.elapsed().as_secs_f64());
}

/// What a trace shows: acknowledgements, and those of them that came while the write-ahead log was not yet synced.
fn read_trace(trace: &str) -> (usize, usize) {
    let (mut acks, mut early, mut unsynced) = (0, 0, false);
    let mut syncing = BTreeSet::new();
    for line in trace.lines() {
        let (pid, call) = line.split_once(' ').unwrap_or(("", line));
        let call = call.trim_start();
        let sync = call.starts_with("fdatasync(") || call.starts_with("fsync(");
        if call.starts_with("pwrite64(") && call.contains("-wal>") {
            unsynced = true;
        } else if sync && call.contains("-wal>") && call.contains("<unfinished") {
            syncing.insert(pid.to_owned());
        } else if (sync && call.contains("-wal>") || call.contains("sync resumed>") && syncing.remove(pid)) && call.ends_with("= 0") {
            unsynced = false;
        } else if call.starts_with("write(2") && call.contains("\"ACK ") {
            acks += 1;
            early += usize::from(unsynced);
        }
    }
    (acks, early)
}

/// Traces a child that makes a few commits, one after the other.
fn trace(folder: &Path, careless: bool) -> Option<(usize, usize)> {
    let out = folder.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-s", "16", "-e", "trace=write,pwrite64,fsync,fdatasync", "-o"]).arg(&out);
    strace.arg(std::env::current_exe().unwrap()).env(COMMITS, "20");
    if careless {
        strace.env(NORMAL, "1");
    }
    if Command::new("strace").arg("-V").output().is_err() {
        return None;
    }
    let done = itself(&mut strace, &folder.join("db")).wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(read_trace(&std::fs::read_to_string(out).unwrap()))
}

#[test]
fn no_acknowledgement_comes_before_the_sync() {
    let folder = tempfile::tempdir().unwrap();
    let (careful, careless) = (folder.path().join("careful"), folder.path().join("careless"));
    std::fs::create_dir(&careful).unwrap();
    std::fs::create_dir(&careless).unwrap();
    // The reader of traces itself, on a trace made by hand.
    let handmade = "1 pwrite64(9</db-wal>, \"x\", 1, 0) = 1\n1 fdatasync(9</db-wal> <unfinished ...>\n2 write(2</e>, \"ACK 1\", 5) = 5\n\
                    1 <... fdatasync resumed>) = 0\n2 write(2</e>, \"ACK 2\", 5) = 5\n";
    assert_eq!(read_trace(handmade), (2, 1));
    let Some(seen) = trace(&careful, false) else {
        // tests/all brings strace along and sets this, so that nothing is left out there.
        assert!(std::env::var_os("COUNTERSIGN_REQUIRE_ALL").is_none_or(|v| v != "1"), "strace is not installed");
        println!("left out: strace is not installed, so the system calls were not looked at");
        return;
    };
    assert_eq!(seen, (20, 0), "acknowledgements, and those before their sync");
    let (acks, early) = trace(&careless, true).unwrap_or_default();
    assert!(acks == 20 && early >= 5, "the control: with synchronous=NORMAL {early} of {acks} came before the sync");
}
