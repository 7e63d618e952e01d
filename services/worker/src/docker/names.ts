// Container names: they carry the deadline, so that a janitor needs nothing but the engine.

/** `warm-<language>-<id>-<deadline, unix s>`. */
export function warmName(sandbox: { language: string; id: string; deadlineMs: number }): string {
  return `warm-${safe(sandbox.language)}-${sandbox.id}-${unixSeconds(sandbox.deadlineMs)}`;
}

/** `run-<runId>-<deadline, unix s>`. */
export function runName(run: { runId: string; deadlineMs: number }): string {
  return `run-${safe(run.runId)}-${unixSeconds(run.deadlineMs)}`;
}

/** The deadline in a container's name, ms since the epoch; undefined when the name is not one of ours. */
export function deadlineOf(name: string): number | undefined {
  const match = /^\/?(?:warm|run)-.{1,128}-(\d{1,12})$/.exec(name);
  return match ? Number(match[1]) * 1000 : undefined;
}

/** Container names are of [A-Za-z0-9_.-]; languages such as c++ are not. The label holds the true name. */
function safe(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64);
}

/** Rounded up: a sandbox is never past its deadline before its time. */
function unixSeconds(timeMs: number): number {
  return Math.ceil(timeMs / 1000);
}
