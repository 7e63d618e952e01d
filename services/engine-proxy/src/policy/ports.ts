// What the policy needs from the engine. The docker folder implements it.

export interface EngineRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Built here from checked parts, never the caller's text. */
  readonly target: string;
  /** JSON, serialized here. */
  readonly body?: string;
}

export interface EngineAnswer {
  readonly status: number;
  readonly body: Buffer;
  readonly contentType: string;
}

export interface EnginePort {
  /** One call with a whole answer. Rejects with Refusal: engine_unreachable, engine_timeout or bad_answer. */
  call(request: EngineRequest, signal?: AbortSignal): Promise<EngineAnswer>;
}
