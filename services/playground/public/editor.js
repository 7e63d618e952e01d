// The editor: a text area with line numbers, indentation by Tab, and a memory per language.

const INDENT = '    ';
const STORE = 'rungrid.code.';

export class Editor {
  /** @type {HTMLTextAreaElement} */
  #area;
  /** @type {HTMLElement} */
  #gutter;
  #lines = 0;
  #language = '';
  #hello = '';
  /** After Escape, Tab moves on, so that the keyboard is never caught here. */
  #released = false;

  /**
   * @param {HTMLTextAreaElement} area
   * @param {HTMLElement} gutter
   */
  constructor(area, gutter) {
    this.#area = area;
    this.#gutter = gutter;
    area.addEventListener('input', () => this.#onInput());
    area.addEventListener('scroll', () => {
      gutter.scrollTop = area.scrollTop;
    });
    area.addEventListener('blur', () => {
      this.#released = false;
    });
    area.addEventListener('keydown', (event) => this.#onKey(event));
  }

  get text() {
    return this.#area.value;
  }

  /**
   * Shows the program of a language: what was typed last time, or the one to start from.
   * @param {string} language
   * @param {string} hello
   */
  open(language, hello) {
    if (language === this.#language) return;
    this.#language = language;
    this.#hello = hello;
    this.#set(load(language) ?? hello);
  }

  /** Puts the language's first program back. */
  reset() {
    this.#set(this.#hello);
    save(this.#language, undefined);
  }

  focus() {
    this.#area.focus();
  }

  /** @param {string} text */
  #set(text) {
    this.#area.value = text;
    this.#number();
  }

  #onInput() {
    this.#number();
    save(this.#language, this.#area.value === this.#hello ? undefined : this.#area.value);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key === 'Escape') {
      this.#released = true;
    } else if (event.key === 'Tab' && !event.ctrlKey && !event.altKey && !event.metaKey) {
      if (this.#released) return;
      event.preventDefault();
      if (event.shiftKey) this.#outdent();
      else this.#insert(INDENT);
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      this.#insert(`\n${this.#indentation()}`);
    } else if (!['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) {
      this.#released = false;
    }
  }

  #lineStart() {
    return this.#area.value.lastIndexOf('\n', this.#area.selectionStart - 1) + 1;
  }

  #indentation() {
    const line = this.#area.value.slice(this.#lineStart(), this.#area.selectionStart);
    return /^[ \t]*/.exec(line)?.[0] ?? '';
  }

  #outdent() {
    const start = this.#lineStart();
    const spaces = /^(?: {1,4}|\t)/.exec(this.#area.value.slice(start))?.[0].length ?? 0;
    if (spaces === 0) return;
    const caret = Math.max(start, this.#area.selectionStart - spaces);
    this.#area.setSelectionRange(start, start + spaces);
    this.#insert('');
    this.#area.setSelectionRange(caret, caret);
  }

  /**
   * Like typing: keeps the browser's undo history where the browser can.
   * @param {string} text
   */
  #insert(text) {
    const done = text === '' ? document.execCommand('delete') : document.execCommand('insertText', false, text);
    if (!done) {
      this.#area.setRangeText(text, this.#area.selectionStart, this.#area.selectionEnd, 'end');
      this.#onInput();
    }
  }

  #number() {
    const lines = this.#area.value.split('\n').length;
    if (lines === this.#lines) return;
    this.#lines = lines;
    this.#gutter.textContent = Array.from({ length: lines }, (_, index) => index + 1).join('\n');
  }
}

/** @param {string} language */
export function load(language) {
  try {
    return localStorage.getItem(STORE + language) ?? undefined;
  } catch {
    // Storage may be switched off: then nothing is remembered.
    return undefined;
  }
}

/**
 * @param {string} language
 * @param {string | undefined} text undefined forgets
 */
export function save(language, text) {
  try {
    if (text === undefined) localStorage.removeItem(STORE + language);
    else localStorage.setItem(STORE + language, text);
  } catch {
    // Storage may be off or full: then nothing is remembered.
  }
}
