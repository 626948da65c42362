// Names come from the program and the server, and nothing else bounds what a span, a log line or a label keeps of them.
const shownCharacters = 100

export const shown = (name: unknown): string => String(name).slice(0, shownCharacters)
