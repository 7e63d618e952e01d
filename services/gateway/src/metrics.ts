// Every metric of the gateway: name, meaning, unit, labels. Labels come from closed lists, never from a request.
import { Counter, Gauge, Histogram, LATENCY_BUCKETS, type Registry } from '@rungrid/kit/metrics';
import type { RoutingMetrics } from './routing/types.js';
import type { SessionMetrics } from './session/types.js';

/** Values that are read at each scrape. */
export interface MetricSources {
  readonly sockets: () => number;
  readonly liveRuns: () => number;
  readonly workers: () => number;
  readonly channels: () => number;
  readonly streams: () => number;
  /** 1 while the connection is up. */
  readonly redisUp: (connection: 'commands' | 'replies') => 0 | 1;
}

export interface GatewayMetrics {
  readonly routing: RoutingMetrics;
  readonly session: SessionMetrics;
  socketOpened(): void;
  socketClosed(code: number): void;
  httpAnswered(status: number): void;
}

/** The codes of our own table and of RFC 6455 with a label of their own; any other one counts as `other`. */
const CLOSE_LABELS = new Set([1000, 1001, 1005, 1006, 1009, 1012, 4008, 4400, 4401, 4403, 4408, 4409, 4413, 4429]);

export function createMetrics(registry: Registry, sources: MetricSources): GatewayMetrics {
  registerGauges(registry, sources);
  const registers = [registry];
  const opened = new Counter({
    name: 'rungrid_gateway_sockets_opened_total',
    help: 'Sockets that got hello',
    registers,
  });
  const closed = new Counter({
    name: 'rungrid_gateway_sockets_closed_total',
    help: 'Sockets closed, by close code as the engine saw it (1006: without one)',
    labelNames: ['code'],
    registers,
  });
  const closing = new Counter({
    name: 'rungrid_gateway_socket_closures_total',
    help: 'Sockets that the gateway closed, by name of the close table',
    labelNames: ['reason'],
    registers,
  });
  const frames = new Counter({
    name: 'rungrid_gateway_frames_total',
    help: 'Client frames by event; invalid: refused by the parser; control: ping and pong',
    labelNames: ['event'],
    registers,
  });
  const refusals = new Counter({
    name: 'rungrid_gateway_error_events_total',
    help: 'Error events sent, by code of the error table',
    labelNames: ['code'],
    registers,
  });
  const http = new Counter({
    name: 'rungrid_gateway_http_responses_total',
    help: 'HTTP answers by status',
    labelNames: ['status'],
    registers,
  });
  const congestions = new Counter({
    name: 'rungrid_gateway_backpressure_pauses_total',
    help: 'Pauses of a socket’s runs because its client fell behind',
    registers,
  });
  return {
    routing: routingMetrics(registry),
    session: {
      frame: (event) => frames.inc({ event }),
      refused: (code) => refusals.inc({ code }),
      closing: (reason) => closing.inc({ reason }),
      congested: () => congestions.inc(),
    },
    socketOpened: () => opened.inc(),
    socketClosed: (code) => closed.inc({ code: CLOSE_LABELS.has(code) ? String(code) : 'other' }),
    httpAnswered: (status) => http.inc({ status: String(status) }),
  };
}

function routingMetrics(registry: Registry): RoutingMetrics {
  const registers = [registry];
  const stages = new Histogram({
    name: 'rungrid_gateway_stage_duration_seconds',
    help:
      "Time of each stage, seconds. submit: click to Redis's answer; claim: that to the claim; attach: claim to the first event; " +
      'start: click to started; first_output: click to first output handed to the socket; echo: stdin sent to the worker to the next output',
    labelNames: ['stage'],
    buckets: LATENCY_BUCKETS,
    registers,
  });
  const ended = new Counter({
    name: 'rungrid_gateway_runs_ended_total',
    help: 'Runs that passed admission and ended, by language and by end reason or error code',
    labelNames: ['language', 'outcome'],
    registers,
  });
  const orphaned = new Counter({
    name: 'rungrid_gateway_orphaned_claims_total',
    help: 'Claims of workers for runs that had ended or were attached already',
    registers,
  });
  const violations = new Counter({
    name: 'rungrid_gateway_stream_violations_total',
    help: 'Worker events that repeated a seq or skipped one',
    registers,
  });
  const requeued = new Counter({
    name: 'rungrid_gateway_requeued_runs_total',
    help: 'Runs that were queued again before their start. worker_lost: with their worker; handed_back: by a worker that shuts down',
    labelNames: ['why'],
    registers,
  });
  const resumes = new Counter({
    name: 'rungrid_gateway_resumes_total',
    help: 'Resumes by clients, by outcome: resumed, or an error code',
    labelNames: ['outcome'],
    registers,
  });
  return {
    stage: (stage, seconds) => stages.observe({ stage }, seconds),
    ended: (language, outcome) => ended.inc({ language, outcome }),
    orphanedClaim: () => orphaned.inc(),
    requeued: (why) => requeued.inc({ why }),
    resume: (outcome) => resumes.inc({ outcome }),
    streamViolation: () => violations.inc(),
  };
}

function registerGauges(registry: Registry, sources: MetricSources): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  gauge('rungrid_gateway_sockets', 'Live sockets', sources.sockets);
  gauge('rungrid_gateway_live_runs', 'Runs between submit and their end', sources.liveRuns);
  gauge('rungrid_gateway_workers', 'Workers that announce themselves and are not draining', sources.workers);
  gauge('rungrid_gateway_grpc_channels', 'Worker addresses with a channel', sources.channels);
  gauge('rungrid_gateway_grpc_streams', 'Run streams that are open', sources.streams);
  gauge('rungrid_gateway_redis_commands_up', '1 while the command connection is up', () => sources.redisUp('commands'));
  gauge('rungrid_gateway_redis_replies_up', '1 while the connection that waits for claims is up', () =>
    sources.redisUp('replies'),
  );
}
