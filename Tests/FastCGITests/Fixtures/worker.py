import flipflop


def application(environ, start_response):
    start_response("203 Echo", [("Content-Type", "text/plain"), ("X-Method", environ["REQUEST_METHOD"])])
    environ["wsgi.errors"].write("to stderr")
    while piece := environ["wsgi.input"].read(10000):
        yield piece


flipflop.WSGIServer(application).run()
