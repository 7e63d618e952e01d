// Decides what of a call may reach the engine, and what of its answer a worker may see.
import { type Call, engineRequest } from './calls.js';
import { checkUpdate, type CreatePolicy, createBodyCheck } from './create-body.js';
import { Containers, fieldOf, Images, parseAnswer } from './names.js';
import type { EngineAnswer, EnginePort, EngineRequest } from './ports.js';

interface GatePolicy extends CreatePolicy {
  /** Whole image names, or prefixes that end with a slash. */
  readonly images: readonly string[];
}

/** The fields of the engine's self-description that a worker reads. The rest includes registries, proxies and their passwords. */
const INFO_FIELDS = [
  'ID',
  'ServerVersion',
  'KernelVersion',
  'DefaultRuntime',
  'RuncCommit',
  'Runtimes',
  'CgroupDriver',
  'CgroupVersion',
  'SecurityOptions',
];

export class Gate {
  readonly #containers: Containers;
  readonly #images: Images;
  readonly #checkBody: (body: Buffer) => { image: string; json: string };

  constructor(engine: EnginePort, policy: GatePolicy) {
    this.#containers = new Containers(engine, policy.fleets);
    this.#images = new Images(engine, policy.images);
    this.#checkBody = createBodyCheck(policy);
  }

  /** The engine's request for this call. Rejects with Refusal. */
  async permit(call: Call, body: Buffer, signal?: AbortSignal): Promise<EngineRequest> {
    if (call.verb === 'image') this.#images.checkName(call.image);
    if (call.verb === 'create') {
      const { image, json } = this.#checkBody(body);
      await this.#images.checkId(image, signal);
      return engineRequest(call, { body: json });
    }
    if (!('container' in call)) return engineRequest(call);
    if (call.verb === 'update') {
      const container = await this.#containers.resolve(call.container, signal);
      return engineRequest(call, { container, body: checkUpdate(body) });
    }
    // The caller's body is dropped: the engine ignores it in most of these calls, but its oldest API versions did not.
    return engineRequest(call, { container: await this.#containers.resolve(call.container, signal) });
  }

  /** The part of the engine's answer that goes back. Throws Refusal for an invalid answer. */
  narrow(call: Call, answer: EngineAnswer): EngineAnswer {
    if (answer.status >= 300) return answer;
    switch (call.verb) {
      case 'create': {
        const id = fieldOf(parseAnswer(answer.body), 'Id');
        if (typeof id === 'string') this.#containers.remember(id);
        return answer;
      }
      case 'image': {
        const id = fieldOf(parseAnswer(answer.body), 'Id');
        if (typeof id === 'string') this.#images.learn(call.image, id);
        return json(answer.status, { Id: id });
      }
      case 'info': {
        const info = parseAnswer(answer.body);
        return json(answer.status, Object.fromEntries(INFO_FIELDS.map((name) => [name, fieldOf(info, name)])));
      }
      case 'list': {
        const list = parseAnswer(answer.body);
        const own = Array.isArray(list) ? list.filter((each) => this.#containers.isOurs(fieldOf(each, 'Labels'))) : [];
        return json(answer.status, own);
      }
      case 'ping':
      case 'attach':
      case 'start':
      case 'kill':
      case 'update':
      case 'rename':
      case 'remove':
      case 'wait':
      case 'inspect':
      case 'stats':
      case 'events':
        return answer;
    }
  }

  /** Whether a line of the engine's event stream is about a container of the fleet. Throws Refusal when it is not JSON. */
  isOwnEvent(line: Buffer): boolean {
    return this.#containers.isOurs(fieldOf(fieldOf(parseAnswer(line), 'Actor'), 'Attributes'));
  }
}

function json(status: number, value: unknown): EngineAnswer {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(value)) };
}
