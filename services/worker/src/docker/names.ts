// Container names: they carry the deadline, so that reaping needs nothing but the engine.

/** `warm-<language>-<id>-<deadline, unix s>`. */
export function warmName(sandbox: { language: string; id: string; deadlineMs: number }): string {
  return `warm-${safe(sandbox.language)}-${sandbox.id}-${unixSeconds(sandbox.deadlineMs)}`;
}

/** `run-<runId>-<deadline, unix s>`. */
export function runName(run: { runId: string; deadlineMs: number }): string {
  return `run-${safe(run.runId)}-${unixSeconds(run.deadlineMs)}`;
}

/** The deadline in a container's name, ms since the epoch; undefined for any other name. */
export function deadlineOf(name: string): number | undefined {
  const match = /^\/?(?:warm|run)-.{1,128}-(\d{1,12})$/.exec(name);
  return match ? Number(match[1]) * 1000 : undefined;
}

/** Container names consist of [A-Za-z0-9_.-]; a language such as c++ does not. The label holds the real name. */
function safe(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
}

/** Rounded up, so that no sandbox is reaped early. */
function unixSeconds(timeMs: number): number {
  return Math.ceil(timeMs / 1000);
}
