// The proxy's metrics, each documented where it is declared.
import { Counter, Gauge, type Registry } from '@rungrid/kit/metrics';

export function createProxyMetrics(registry: Registry) {
  const registers = [registry];
  return {
    /** `call`: a verb of policy/calls.ts, or `none`. `result`: `forwarded`, or a reason of policy/refusal.ts. */
    requests: new Counter({
      name: 'rungrid_engine_proxy_requests_total',
      help: 'Requests by call and result',
      labelNames: ['call', 'result'],
      registers,
    }),
    /** Connections past ENGINE_PROXY_CONNECTIONS. */
    dropped: new Counter({
      name: 'rungrid_engine_proxy_dropped_connections_total',
      help: 'Connections closed because too many were open',
      registers,
    }),
    /** Attached streams that are open. */
    attached: new Gauge({
      name: 'rungrid_engine_proxy_attached_streams',
      help: 'Attached streams that are open',
      registers,
    }),
  };
}
