//! The console against its floor: start, keys, bursts, idle, memory; and with many cases against with few.

use std::path::Path;
use std::time::Duration;

use portable_pty::CommandBuilder;

use super::demo::Demo;
use super::figures::{Figure, Sample, Target};
use super::probe::Probe;
use super::{Error, Options};

/// Keys of which each is timed on its own.
const KEYS: usize = 60;
/// Jumps to the end and back, of which each is timed on its own.
const JUMPS: usize = 10;
/// Keys written at once in the burst.
const BURST: usize = 200;
/// How long idling is watched.
const IDLE: Duration = Duration::from_secs(5);
/// How long it is left alone before: threads that only helped at the start end after ten seconds, and would take their numbers with them.
const SETTLE: Duration = Duration::from_secs(12);
const END: &[u8] = b"\x1b[F";
const HOME: &[u8] = b"\x1b[H";

/// What one program gave.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    first_paint_ms: f64,
    usable_ms: f64,
    start_cpu_ms: f64,
    key_ms: f64,
    key_cpu_ms: f64,
    key_bytes: f64,
    end_ms: f64,
    end_cpu_ms: f64,
    burst_bytes: f64,
    idle_cpu_percent: f64,
    idle_wakeups: f64,
    idle_bytes: f64,
    memory_mib: f64,
}

fn run(command: CommandBuilder, usable: &str) -> Result<Run, Error> {
    let mut probe = Probe::start(command)?;
    let first_paint_ms = probe.until("")?;
    let usable_ms = probe.until(usable)?;
    let (start_cpu_ms, _) = probe.cpu();
    probe.settle(Duration::from_millis(600));
    let (mut paint, mut bytes) = (Sample::default(), Sample::default());
    let (before, _) = probe.cpu();
    for i in 0..KEYS {
        let press = probe.press(if i % 20 < 10 { b"j" } else { b"k" })?;
        paint.0.push(press.paint_ms);
        #[allow(clippy::cast_precision_loss, reason = "a count of bytes")]
        bytes.0.push(press.bytes as f64);
    }
    let (after, _) = probe.cpu();
    let mut end = Sample::default();
    for key in [END, HOME].iter().cycle().take(JUMPS) {
        end.0.push(probe.press(key)?.paint_ms);
    }
    let (after_jumps, _) = probe.cpu();
    probe.settle(Duration::from_millis(300));
    let burst = probe.press(&[b'j'; BURST])?;
    // The last cases are due in days, or never: no countdown in sight changes within the hour.
    probe.press(END)?;
    probe.watch(SETTLE);
    let (cpu_idle, switches) = probe.cpu();
    let (_, idle_bytes) = probe.watch(IDLE);
    let (cpu_end, switches_end) = probe.cpu();
    let memory_mib = probe.anonymous_mib();
    probe.stop();
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    Ok(Run {
        first_paint_ms,
        usable_ms,
        start_cpu_ms,
        key_ms: paint.median(),
        key_cpu_ms: (after - before) / KEYS as f64,
        key_bytes: bytes.median(),
        end_ms: end.median(),
        end_cpu_ms: (after_jumps - after) / JUMPS as f64,
        burst_bytes: burst.bytes as f64,
        idle_cpu_percent: (cpu_end - cpu_idle).max(0.0) / (IDLE.as_secs_f64() * 1e3) * 100.0,
        idle_wakeups: switches_end.saturating_sub(switches) as f64 / IDLE.as_secs_f64(),
        idle_bytes: idle_bytes as f64,
        memory_mib,
    })
}

fn floor(options: &Options) -> Result<Run, Error> {
    let mut command = CommandBuilder::new(std::env::current_exe()?);
    command.args(["floor-console", &options.cases.to_string()]);
    command.env("TERM", "xterm-256color");
    run(command, "CS-26-0000000")
}

fn product(demo: &Demo, home: &Path) -> Result<Run, Error> {
    run(demo.console_command(home)?, &demo.first_case()?)
}

/// One round: floor, candidate, floor, and the candidate with few cases.
pub fn round(demo: &Demo, few: Option<&Demo>, options: &Options, home: &Path) -> Result<Vec<Figure>, Error> {
    let before = floor(options)?;
    let ours = product(demo, home)?;
    let after = floor(options)?;
    let page = demo.page_ms()?;
    let between = |value: fn(&Run) -> f64| f64::midpoint(value(&before), value(&after));
    let beyond = ours.usable_ms - ours.first_paint_ms - 10.0 * page;
    let mut figures = vec![
        Figure::ratio_of("start to first paint", ours.first_paint_ms, between(|r| r.first_paint_ms), "ms", Target::AtMost(3.0)),
        Figure::ratio_of("CPU until the queue is usable", ours.start_cpu_ms, between(|r| r.start_cpu_ms), "ms", Target::None),
        Figure::plain("queue usable, beyond first paint + 10 list pages", beyond, "ms", Target::AtMost(10.0)),
        Figure::ratio_of("key to paint, row held", ours.key_ms, between(|r| r.key_ms), "ms", Target::AtMost(2.0)),
        Figure::ratio_of("CPU a key, against the floor", ours.key_cpu_ms, between(|r| r.key_cpu_ms), "ms", Target::None),
        Figure::plain("CPU a key", ours.key_cpu_ms, "ms", Target::AtMost(1.0)),
        Figure::ratio_of("jump to the end or back, to paint", ours.end_ms, between(|r| r.end_ms) + page, "ms", Target::AtMost(2.0)),
        Figure::plain("CPU a jump", ours.end_cpu_ms, "ms", Target::None),
        Figure::plain("bytes a key", ours.key_bytes, "B", Target::AtMost(300.0)),
        Figure::ratio_of("bytes of 200 keys in a burst", ours.burst_bytes, between(|r| r.key_bytes) * 200.0, "B", Target::AtMost(0.05)),
        Figure::plain("idle, stream open: CPU", ours.idle_cpu_percent, "%", Target::AtMost(0.05)),
        Figure::plain("idle, stream open: wake-ups a second", ours.idle_wakeups, "/s", Target::AtMost(2.0)),
        Figure::plain("idle, stream open: bytes", ours.idle_bytes, "B", Target::AtMost(0.0)),
        Figure::plain("console memory (anonymous)", ours.memory_mib, "MiB", Target::AtMost(16.0)),
    ];
    if let Some(few) = few {
        let small = product(few, home)?;
        let scale = |what: &str, value: fn(&Run) -> f64, unit, most| Figure::ratio_of(what, value(&ours), value(&small), unit, Target::AtMost(most));
        figures.extend([
            scale("many : few, key to paint", |r| r.key_ms, "ms", 1.2),
            scale("many : few, CPU a key", |r| r.key_cpu_ms, "ms", 1.2),
            scale("many : few, jump to the end or back", |r| r.end_ms, "ms", 1.15),
            scale("many : few, queue usable", |r| r.usable_ms, "ms", 1.2),
            scale("many : few, console memory", |r| r.memory_mib, "MiB", 1.1),
        ]);
    }
    Ok(figures)
}
