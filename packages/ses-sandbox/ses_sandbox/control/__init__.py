"""The control API for tests and the pages for people; nothing here exists at AWS.

| route | does |
|---|---|
| `GET /`, `/mail/{id}`, `/switches` | pages for people |
| `GET /messages` | mails: `to`, `uuid`, `after`, `offset`, `limit`, `count_only` |
| `GET /messages/{id}`, `/count`, `/uuids`, `/timeline` | one mail; numbers over all |
| `GET /messages/wait` | answers once `count` mails (`to`, `uuid`) are stored, or after `timeout` seconds |
| `DELETE /messages` | forgets all mails |
| `GET`, `PUT /sandbox/account` | limits and status |
| `PUT /sandbox/credentials` | rotates the accepted key pair, or lets it expire |
| `PUT /sandbox/identities`, `/sandbox/configuration-sets` | which exist |
| `GET`, `POST`, `DELETE /sandbox/faults` | scripted faults; `DELETE /sandbox/faults/{id}` one |
| `GET /sandbox/faults/{id}/wait` | answers once it was applied `hits` times |
| `GET`, `PUT`, `DELETE /sandbox/events` | how events are produced and posted, and what became of them |
| `POST /sandbox/events` | posts any text to the subscribers (of `topic`) with `subject` |
| `GET /sandbox/events/wait` | answers once at most `pending` are left and `delivered`, `failed` are reached |
| `GET /health` | `{"status": "ok"}` |

Every `wait` answers `reached`. What is scripted is forgotten at the end of the process; what was accepted is not.
"""
