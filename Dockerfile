# Built from the lock alone: what it does not name by hash is not installed. Renovate adds the base image's digest and keeps it
# current (.github/renovate.json).
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && pip install --no-cache-dir --require-hashes -r uv.lock
# The dependencies alone first: this layer lasts until the lock or pyproject.toml changes.
RUN uv venv /opt/email-consumer \
    && uv pip install --no-cache --compile-bytecode --python /opt/email-consumer \
        --require-hashes --constraints requirements.lock --requirements pyproject.toml --extra otel
COPY README.md LICENSE hatch_build.py ./
COPY email_consumer email_consumer
RUN uv build --no-cache --wheel --require-hashes --build-constraints requirements.lock \
    && uv pip install --no-cache --compile-bytecode --python /opt/email-consumer --no-deps dist/*.whl

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --home-dir /data email-consumer
COPY --from=build /opt/email-consumer /opt/email-consumer
ENV PATH=/opt/email-consumer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DB_PATH=/data/email.db
WORKDIR /data
VOLUME /data
USER 10001
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "\
import os, urllib.request; \
urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('SERVER_PORT', '3000') + '/health', timeout=2)"]
ENTRYPOINT ["email-consumer"]
CMD ["run"]
