"""The fault matrix: every cause that ends or hinders a connection × the moment at which it strikes.

    table       what strikes, at which moment, and why the other pairs don't exist: data
    strikes     how each is done, on the stand-in and on our proxies
    site        the service, and the doors through which a device reaches it
    resolver    a name server that answers, denies or keeps silent
    http_proxy  a company's proxy, with a login
    device      the device's process: its status, its news and its log, from a given moment on
    life        a device that lives through case after case, from streaming to streaming
    judging     what holds after every case: nothing left behind, no secret told, nothing told twice
    lanes       several lives side by side
"""
