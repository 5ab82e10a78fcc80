#include <sluice.hpp>

#include <iostream>

int main() {
    asio::io_context context;
    sluice::client client{context.get_executor(),
                          {.url = "https://play.paas.macrometa.io", .auth = sluice::api_key{"xxxxxx"}}};
    sluice::basic_producer<asio::any_io_executor, sluice::codec::lz4> producer{client, "streamQuickstart"};
    std::cout << "sluice " << sluice::version_string << '\n';
}
