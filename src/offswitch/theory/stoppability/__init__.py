"""Whether an agent can still be stopped, whatever its policy.

| file | what it gives |
|---|---|
| `stop_question` | the question, and the two forms of its answer: a certificate or an escape |
| `stoppable` | the answer, within some steps or at all, with or without an operator |
| `stop_probability` | the least probability of being stopped, over all policies |
| `verify_stop` | a small checker of both answers, apart from what found them |
"""
