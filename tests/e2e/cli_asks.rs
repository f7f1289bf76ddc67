//! What is asked from the command line without changing anything, how lists go on, and which mistakes stop whom.

use serde_json::Value;

use crate::cli_later::Cli;
use crate::demo::Demo;
use crate::host::{program, said};

#[test]
fn the_next_case_the_numbers_a_ways_cost_the_policy_and_what_changes_are_asked_from_the_command_line() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let counts = cli.run("nadia", &["case", "counts"], 0);
    assert!(counts["open"].as_u64() > Some(0) && cli.read("nadia", &["case", "counts"]).contains("cases not ended"), "{counts}");
    let way = ["case", "preview", "p.rossi", "password_reset", "--target", "directory", "--scope", "mail"];
    assert_eq!(cli.run("nadia", &way, 0)["you_give_up"], true);
    let told = cli.read("nadia", &way);
    assert!(told.contains("never decide it") && told.contains("approvals needed: ") && told.contains("could decide: "), "{told}");
    cli.run("nadia", &["case", "preview", "nobody", "password_reset", "--target", "directory", "--scope", "mail"], 6);
    let text = cli.run("nadia", &["policy", "show"], 0)["text"].as_str().unwrap().to_owned();
    assert_eq!(cli.read("nadia", &["policy", "show"]).trim_end(), text.trim_end());

    let size = cli.run("nadia", &["case", "counts"], 0)["log"].as_u64().unwrap();
    let taken = cli.run("nadia", &["case", "take-next", "!held"], 0);
    assert_eq!(taken["row"]["assignee"], "nadia");
    cli.run("nadia", &["case", "take-next", "subject:nobody-of-that-name"], 6);
    cli.run("triage-bot", &["case", "take-next"], 3);
    // What happened since is told from there, an object a line.
    let mut listen = program(folder.path());
    let after = (size - 1).to_string();
    listen.args(["--server", &demo.line.api, "--json", "events", "--most", "1", "--after", &after]).env("COUNTERSIGN_TOKEN", demo.token("nadia"));
    let output = listen.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(line["id"].as_u64() >= Some(size) && line["kind"] == "case" && line["row"]["id"].is_string(), "{line}");
    assert!(cli.read("nadia", &["events", "--most", "1", "--after", &after]).contains("CS-26-"));
    // It ends well by itself, whatever came meanwhile.
    cli.read("nadia", &["events", "--for", "1"]);
    cli.run("triage-bot", &["events"], 3);
    cli.run("nadia", &["events", "--for", "0"], 2);
}

#[test]
fn a_list_that_is_not_whole_says_how_it_goes_on() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let go_on = |told: &str| told.lines().last().unwrap().rsplit_once("--after ").map(|(_, after)| after.to_owned());
    for list in [&["case", "list", "--limit", "3"][..], &["log", "list", "--limit", "3"]] {
        let first = cli.read("nadia", list);
        assert!(first.contains("3 are shown, and there are more: go on with --after "), "{first}");
        let next = cli.read("nadia", &[list, &["--after", &go_on(&first).unwrap()]].concat());
        assert_ne!(first.lines().nth(1), next.lines().nth(1), "{next}");
    }
    // The demo writes on: beyond its end there is nothing.
    let rest = cli.read("nadia", &["log", "list", "--after", "1000000"]);
    assert!(!rest.contains("--after"), "{rest}");
    let purple = cli.run("nadia", &["case", "list", "risk:purple"], 2);
    assert!(purple["detail"].as_str().unwrap().contains("\"purple\" is not a known"), "{purple}");
    assert!(cli.read("e.morgan", &["token", "list"]).lines().skip(1).all(|l| l.ends_with(" UTC")));
}

#[test]
fn a_mistake_in_what_only_the_console_reads_stops_no_script_and_says_where_it_is() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let cli = Cli { demo: &demo, folder: folder.path() };
    let settings = folder.path().join("countersign/console.toml");
    std::fs::create_dir_all(settings.parent().unwrap()).unwrap();
    std::fs::write(&settings, "# mine\nattention = \"loud\"\nquiet_hours = \"soon\"\nkeymap = 3\n").unwrap();
    cli.run("nadia", &["whoami"], 0);
    let console = |variables: &[(&str, &str)]| {
        let mut command = program(folder.path());
        command.args(["--server", &demo.line.api]).env("COUNTERSIGN_TOKEN", demo.token("nadia")).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    };
    let told = console(&[]);
    assert!(told.contains("console.toml:2: attention") && told.contains("console.toml:3: quiet_hours"), "{told}");
    std::fs::write(&settings, "# mine\ntheme = \"purple\"\n").unwrap();
    let told = console(&[]);
    assert!(told.contains("console.toml:2: theme: There is no theme \"purple\""), "{told}");
    std::fs::write(&settings, "").unwrap();
    let told = console(&[("COUNTERSIGN_THEME", "purple")]);
    assert!(told.contains("COUNTERSIGN_THEME in the environment: theme: ") && !told.contains("console.toml"), "{told}");
    // What every command reads stops every command, and the blame is the variable's.
    std::fs::write(&settings, "timeout_seconds = 0\n").unwrap();
    cli.run("nadia", &["whoami"], 2);
    std::fs::write(&settings, "").unwrap();
    for garbage in ["garbage", ""] {
        let mut command = program(folder.path());
        let output = command.arg("whoami").env("COUNTERSIGN_SERVER", garbage).env("COUNTERSIGN_TOKEN", "x").output().unwrap();
        let told = said(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("COUNTERSIGN_SERVER in the environment: server: must be") && !told.contains("console.toml"), "{told}");
    }
}

#[test]
fn what_is_not_founded_or_not_there_is_said_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("server.toml").display().to_string();
    std::fs::write(&config, "").unwrap();
    let run = |arguments: &[&str], code: i32| {
        let output = program(folder.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    for command in [&["serve"][..], &["import", "persons", "x.csv"], &["codes", "s-1", "x.codes"]] {
        let told = run(&[command, &["--config", &config]].concat(), 3);
        assert!(told.contains("countersign init") && !told.contains("os error"), "{told}");
    }
    run(
        &[
            "init",
            "--config",
            &config,
            "--policy-owner",
            "ana",
            "--security-reviewer",
            "ben",
            "--employer",
            "acme",
            "--tokens",
            &folder.path().display().to_string(),
        ],
        0,
    );
    assert!(run(&["import", "--config", &config, "persons", "nofile.csv"], 2).contains("nofile.csv can't be read"));
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "id,kind,name,tier,environment,entitlements\nsub,employee,Sub,standard,production,nonsense\n").unwrap();
    let told = run(&["import", "--config", &config, "subjects", &rows.display().to_string()], 1);
    assert!(told.contains("line 2: sub: entitlements") && told.contains("One row is refused."), "{told}");
    let told = run(&["import", "--config", &config, "--write", "--partial", "subjects", &rows.display().to_string()], 1);
    assert!(told.contains("Nothing was written: every row is refused."), "{told}");
    let (copy, database) = (folder.path().join("copy.db"), folder.path().join("countersign.db"));
    run(&["backup", "--config", &config, &copy.display().to_string()], 0);
    let whole = std::fs::read(&copy).unwrap();
    std::fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    let kept = std::fs::read(&database).unwrap();
    let told = run(&["restore", "--config", &config, "--replace", &copy.display().to_string()], 1);
    assert!(told.contains("copy.db") && told.matches("othing was changed").count() == 1, "said with its name, once: {told}");
    assert_eq!(std::fs::read(&database).unwrap(), kept);
}
