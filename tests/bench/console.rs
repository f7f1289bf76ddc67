//! The console against its floor: start, keys, bursts, idle, memory.

use std::time::Duration;

use portable_pty::CommandBuilder;

use super::figures::{Figure, Sample, Target};
use super::probe::Probe;
use super::server::Demo;
use super::{Error, Options};

/// Keys of which each is timed on its own.
const KEYS: usize = 60;
/// Keys written at once in the burst.
const BURST: usize = 200;
/// How long idling is watched.
const IDLE: Duration = Duration::from_secs(5);

/// What one program gave.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    first_paint_ms: f64,
    usable_ms: f64,
    key_ms: f64,
    key_cpu_ms: f64,
    key_bytes: f64,
    end_ms: f64,
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
    probe.settle(Duration::from_millis(600));
    let (mut paint, mut bytes) = (Sample::default(), Sample::default());
    let (cpu_before, _) = probe.cpu();
    for i in 0..KEYS {
        let press = probe.press(if i % 20 < 10 { b"j" } else { b"k" })?;
        paint.0.push(press.paint_ms);
        #[allow(clippy::cast_precision_loss, reason = "a count of bytes")]
        bytes.0.push(press.bytes as f64);
    }
    let (cpu_after, _) = probe.cpu();
    let mut end = Sample::default();
    for key in [b"G", b"g"].iter().cycle().take(10) {
        end.0.push(probe.press(*key)?.paint_ms);
    }
    probe.settle(Duration::from_millis(300));
    let burst = probe.press(&[b'j'; BURST])?;
    probe.settle(Duration::from_millis(500));
    let (cpu_idle, switches) = probe.cpu();
    let (_, idle_bytes) = probe.settle(IDLE);
    let (cpu_end, switches_end) = probe.cpu();
    let memory_mib = probe.anonymous_mib();
    probe.stop();
    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    Ok(Run {
        first_paint_ms,
        usable_ms,
        key_ms: paint.median(),
        key_cpu_ms: (cpu_after - cpu_before) / KEYS as f64,
        key_bytes: bytes.median(),
        end_ms: end.median(),
        burst_bytes: burst.bytes as f64,
        idle_cpu_percent: (cpu_end - cpu_idle) / (IDLE.as_secs_f64() * 1e3) * 100.0,
        idle_wakeups: (switches_end - switches) as f64 / IDLE.as_secs_f64(),
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

fn between(before: Run, after: Run, value: fn(&Run) -> f64) -> f64 {
    f64::midpoint(value(&before), value(&after))
}

/// One round: floor, candidate, floor.
pub fn round(demo: &Demo, options: &Options) -> Result<Vec<Figure>, Error> {
    let before = floor(options)?;
    let ours = run(demo.console_command()?, "CS-26-")?;
    let after = floor(options)?;
    let page = demo.page_ms()?;
    let figure =
        |what: &str, value: f64, floor: Option<f64>, unit: &'static str, target: Target| Figure { what: what.to_owned(), value, floor, unit, target };
    Ok(vec![
        figure("start to first paint", ours.first_paint_ms, Some(between(before, after, |r| r.first_paint_ms)), "ms", Target::AtMost(3.0)),
        figure(
            "start to queue usable, beyond first paint + 10 pages",
            ours.usable_ms - ours.first_paint_ms - 10.0 * page,
            None,
            "ms",
            Target::AtMost(10.0),
        ),
        figure("key to paint, row held", ours.key_ms, Some(between(before, after, |r| r.key_ms)), "ms", Target::AtMost(2.0)),
        figure("CPU a key", ours.key_cpu_ms, None, "ms", Target::AtMost(1.0)),
        figure("jump to the end and back", ours.end_ms, Some(between(before, after, |r| r.end_ms) + page), "ms", Target::AtMost(2.0)),
        figure("bytes a key", ours.key_bytes, None, "B", Target::AtMost(300.0)),
        figure("bytes of 200 keys in a burst", ours.burst_bytes, Some(before.key_bytes * 200.0), "B", Target::AtMost(0.05)),
        figure("idle CPU", ours.idle_cpu_percent, None, "%", Target::AtMost(0.05)),
        figure("idle wake-ups a second", ours.idle_wakeups, None, "/s", Target::AtMost(2.0)),
        figure("idle bytes", ours.idle_bytes, None, "B", Target::AtMost(0.0)),
        figure("console memory (anonymous)", ours.memory_mib, None, "Mi", Target::AtMost(16.0)),
    ])
}
